"""What the schema of the API says of every address alike: scopes, refusals, repeatable POSTs, conditional writes."""

import copy
from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from crm.foundation.problems import CONTENT_TYPE
from crm.staff import idempotency
from crm.staff.endpoint import Endpoint

READS = ("GET", "HEAD", "OPTIONS")
SECONDS = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}}
ETAG = {"ETag": {"description": "The state this answer shows, for `If-Match`.", "schema": {"type": "string"}}}
REPLAYED = {
    "Idempotency-Replayed": {
        "description": "`true`: done before; this is the answer of then.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
KEY = {
    "name": idempotency.HEADER,
    "in": "header",
    "description": "Your choice, one per request: repeated with the same key, it is done once. Kept for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": idempotency.KEY_MAX, "pattern": "^[!-~]+$"},
}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "An `ETag` of before: refuse (412) if it has changed since.",
    "schema": {"type": "string"},
}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "An `ETag` of before: 304 if nothing has changed since.",
    "schema": {"type": "string"},
}
TEXTS = {
    "400": "The request does not fit: `invalid` (with `fields`), `parse_error` …",
    "401": "`not_authenticated`, `authentication_failed`: no token, or none that is good.",
    "403": "`permission_denied`: the scopes or the role do not allow it.",
    "404": "`not_found`: not there, or not yours to see.",
    "409": "`conflict`: somebody else was first, or the state does not allow it.",
    "412": "`precondition_failed`: no longer as `If-Match` says.",
    "413": "`too_big`",
    "415": "`unsupported_media_type`",
    "422": "`idempotency_key_reused`: the key was used for another request.",
    "429": "`too_often`",
    "503": "`unavailable`: try again after `Retry-After` seconds.",
    "default": "Any other refusal.",
}


class ProblemAnswer(serializers.Serializer[Any]):
    """A refusal (RFC 9457): a stable `code`, and a sentence that says what to do. Some codes have more members."""

    type = serializers.CharField(help_text="`about:blank`.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    fields = serializers.DictField(  # type: ignore[assignment]
        required=False, help_text="With `invalid`: the sentences by field."
    )
    version = serializers.IntegerField(required=False, help_text="With `conflict`: the present one.")


class Schema(AutoSchema):
    """drf-spectacular's description of an operation, completed."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """With the headers, refusals and scopes that nobody writes down view by view."""
        operation: Any = super().get_operation(*args, **kwargs)
        if operation is None or not isinstance(self.view, Endpoint):
            return operation
        operation["description"] = f"{operation.get('description', '')}\n\n{self._scope()}".strip()
        operation.setdefault("parameters", []).extend(self._headers())
        answers = operation["responses"]
        for status in self._refusals(operation):
            answers.setdefault(status, {"description": TEXTS[status]})
        problem = self.resolve_serializer(ProblemAnswer, "response").ref
        for status, answer in answers.items():
            if status == "default" or status >= "400":
                answer["content"] = {CONTENT_TYPE: {"schema": problem}}
                if status in ("429", "503"):
                    answer["headers"] = copy.deepcopy(SECONDS)
            elif status in ("200", "201"):
                answer["headers"] = self._answer_headers()
        if self._has_etag() and self.method == "GET":
            answers["304"] = {"description": "Nothing has changed since `If-None-Match`."}
        return operation

    def _scope(self) -> str:
        view: Any = self.view
        verb = "read" if self.method in READS else "write"
        return f"Scope: `{view.resource_now()}:{verb}` or `{verb}`."

    def _has_etag(self) -> bool:
        view: Any = self.view
        is_own = getattr(view, "action", None) not in view.resources
        return view.has_etag and is_own and bool(getattr(view, "detail", False))

    def _headers(self) -> list[dict[str, Any]]:
        found = [KEY] if self.method == "POST" else []
        if self._has_etag():
            found.append(IF_NONE_MATCH if self.method == "GET" else IF_MATCH)
        return copy.deepcopy(found)

    def _answer_headers(self) -> dict[str, Any]:
        is_made = getattr(self.view, "action", None) == "create" and self.view.has_etag  # type: ignore[attr-defined]
        found = (ETAG if self._has_etag() or is_made else {}) | (REPLAYED if self.method == "POST" else {})
        return copy.deepcopy(found)

    def _refusals(self, operation: dict[str, Any]) -> list[str]:
        found = ["401", "403", "429", "503", "default"]
        if operation["parameters"] or "requestBody" in operation:
            found.append("400")
        if "{" in self.path:
            found.append("404")
        if "requestBody" in operation:
            found += ["413", "415"]
        if self.method not in READS:
            found.append("409")
        if self.method == "POST":
            found.append("422")
        if self.method not in READS and self._has_etag():
            found.append("412")
        return sorted(found)
