"""What can go wrong when talking to Graph: one small tree."""

from typing import Any

MOST_CODE = 10**9


class GraphError(Exception):
    """Base of everything the client raises."""


class NotSent(GraphError):
    """No byte of the request reached Graph (refused, DNS, TLS): safe to try again."""


class Unanswered(GraphError):
    """The request may have been carried out, but no usable answer came: must not be repeated blindly."""


class Refused(GraphError):
    """Graph answered with its error object: nothing was carried out."""

    def __init__(self, http_status: int, error: dict[str, Any], retry_after: float | None = None) -> None:
        code = error.get("code")
        self.code: int = code if type(code) is int and 0 <= code < MOST_CODE else -1
        subcode = error.get("error_subcode")
        self.subcode: int | None = subcode if isinstance(subcode, int) else None
        data = error.get("error_data")
        details = data.get("details") if isinstance(data, dict) else None
        self.details = str(details or error.get("message") or "")[:500]
        self.http_status = http_status
        self.retry_after = retry_after
        super().__init__(f"Graph error {self.code} (HTTP {http_status})")
