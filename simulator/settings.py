"""What a tester may ask the simulator to do wrong; kept in memory, so a restart behaves again."""

from dataclasses import asdict, dataclass, fields
from typing import Any

Json = dict[str, Any]


class SettingError(ValueError):
    """A setting that does not exist or has an impossible value; the text says which."""


@dataclass
class Failure:
    """The next `count` sends fail with Meta's `code`; `http_status` None means as Meta itself does."""

    code: int
    count: int = 1
    http_status: int | None = None


@dataclass
class Settings:
    """All misbehaviour, off by default."""

    duplicate: int = 0  # each webhook is posted this many extra times
    shuffle: bool = False  # webhooks are held back up to 0.5 s and posted in random order
    batch: int = 1  # up to this many updates of a number in one POST
    parallel: int = 1  # POSTs of one number under way at a time; above 1 the order is not kept
    delay: float = 0.0  # seconds before a send's first status
    stall: float = 0.0  # seconds before the Graph API answers a send, which is already under way
    statuses: bool = True  # sent, delivered and read follow a send by themselves
    accept_then_drop: int = 0  # the next sends are accepted, and the connection is cut without an answer
    html_500: int = 0  # the next sends answer 500 with a page instead of JSON and send nothing
    strict_window: bool = False  # a customer who never wrote here counts as outside the 24-hour window
    fail: Failure | None = None

    def update(self, wanted: Json) -> None:
        """Change what is named (`reset: true` first puts all back); raises SettingError, changing nothing."""
        known = {item.name for item in fields(self)} - {"fail"}
        new: Json = {}
        for name, value in wanted.items():
            if name == "fail":
                new[name] = _failure(value)
            elif name in known:
                new[name] = _checked(name, value)
            elif name != "reset":
                raise SettingError(f"There is no setting {name!r}.")
        if wanted.get("reset"):
            new = {**vars(Settings()), **new}
        for name, value in new.items():
            setattr(self, name, value)

    def as_json(self) -> Json:
        """All settings as they are now."""
        return asdict(self)

    def take_failure(self) -> Failure | None:
        """The failure that the send at hand must suffer, counted off."""
        failure = self.fail
        if failure is None:
            return None
        failure.count -= 1
        if failure.count <= 0:
            self.fail = None
        return failure

    def take(self, name: str) -> bool:
        """Count one off `accept_then_drop` or `html_500`; False when none is left."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0


def _checked(name: str, value: Any) -> Any:
    if name in {"shuffle", "statuses", "strict_window"}:
        if not isinstance(value, bool):
            raise SettingError(f"{name} must be true or false.")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100_000:
        raise SettingError(f"{name} must be a number from 0 to 100000.")
    return float(value) if name in {"delay", "stall"} else int(value)


def _failure(value: Any) -> Failure | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return Failure(code=value)
    if not isinstance(value, dict) or not isinstance(value.get("code"), int):
        raise SettingError("fail must be null or an object with a code, a count and perhaps an http_status.")
    count, http_status = value.get("count", 1), value.get("http_status")
    if not isinstance(count, int) or count < 0 or not isinstance(http_status, int | None):
        raise SettingError("count must be 0 or more, http_status null or a number.")
    if http_status is not None and not (http_status == 200 or 400 <= http_status <= 599):
        raise SettingError("http_status must be null, 200 (accepted, then failed) or an error status.")
    return Failure(code=value["code"], count=count, http_status=http_status) if count else None
