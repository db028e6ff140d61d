"""The root of every refusal: a fact in the field's words, a stable code, a sentence that says what to do."""

from typing import Any, ClassVar


class Refusal(Exception):
    """A request that must not be carried out; `str(error)` is a translated sentence for the person who asked."""

    code: ClassVar[str] = "refused"
    http_status: ClassVar[int] = 409

    def __init__(self, message: object, **extra: Any) -> None:
        super().__init__(message)
        self.extra = extra

    def __str__(self) -> str:
        return str(self.args[0])


class Conflict(Refusal):
    """Somebody else changed the object first."""

    code = "conflict"
