"""How a refusal reaches an integrator: a problem (RFC 9457) with a stable `code` and a sentence in their language."""

from http import HTTPStatus
from typing import Any

import orjson
import structlog
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler as drf_exception_handler

from crm.foundation.errors import Conflict, Refusal

CONTENT_TYPE = "application/problem+json"

log = structlog.get_logger(__name__)


def problem(status: int, code: str, detail: str, **more: Any) -> dict[str, Any]:
    """The body of a refusal; `type` is always about:blank: `code` says what it is."""
    title = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail} | more


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """The problem of a refusal; a body that fails its checks adds "fields", 503 and 429 Retry-After, 401 its scheme."""
    if isinstance(error, OperationalError | InterfaceError):
        log.warning("database not available", error=type(error).__name__)
        sentence = _("The service is busy. Try again in a moment.")
        return _answer(503, "unavailable", sentence, headers={"Retry-After": "5"})
    if isinstance(error, IntegrityError):  # the checks passed, and a moment later somebody else was first
        log.warning("lost a race", exc_info=error)
        error = Conflict(_("Somebody else has just changed this. Read it again and repeat your change."))
    if isinstance(error, Refusal):
        return _answer(error.http_status, error.code, str(error), **error.extra)
    error = _as_api_exception(error)
    response = drf_exception_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return _failure(error, context)
    headers = {name: value for name, value in response.headers.items() if name != "Content-Type"}
    if isinstance(error, exceptions.ValidationError):
        fields = error.detail if isinstance(error.detail, dict) else {api_settings.NON_FIELD_ERRORS_KEY: error.detail}
        return _answer(error.status_code, "invalid", _first_sentence(error.detail), headers=headers, fields=fields)
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else error.default_code
    return _answer(error.status_code, code, _first_sentence(error.detail), headers=headers)


class _Problem(Response):
    """JSON, whatever else an address speaks."""

    @property
    def rendered_content(self) -> bytes:  # type: ignore[override]
        """The bytes of the body."""
        self.headers["Content-Type"] = CONTENT_TYPE
        return orjson.dumps(self.data, default=str, option=orjson.OPT_NON_STR_KEYS)


def _answer(status: int, code: str, detail: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
    return _Problem(problem(status, code, detail, **more), status, headers=headers)


def _failure(error: Exception, context: dict[str, Any]) -> Response:
    """Our own mistake: logged, told to whoever watches for them, and still no page for a program."""
    log.error("request failed", exc_info=error)
    got_request_exception.send(sender=None, request=getattr(context["request"], "_request", None))
    return _answer(500, "internal", _("Something went wrong here. It has been noted; try again later."))


def _as_api_exception(error: Exception) -> Exception:
    """Django's own refusals in DRF's words."""
    if isinstance(error, Http404):
        return exceptions.NotFound(_("This does not exist or belongs to someone else. Check the address."))
    if isinstance(error, exceptions.NotAuthenticated):
        sentence = _("No token was sent. Send one in the header Authorization: Bearer …")
        error.detail = exceptions.ErrorDetail(sentence, error.default_code)
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, SuspiciousOperation):
        return exceptions.ParseError(_("The request is malformed. Check how it was put together."))
    return error


def _first_sentence(detail: Any, path: str = "") -> str:
    """The first message in the structure of a ValidationError, with the name of its field before it."""
    if isinstance(detail, dict | list):
        parts = detail.items() if isinstance(detail, dict) else (("", part) for part in detail)
        for name, part in parts:
            unnamed = name in ("", api_settings.NON_FIELD_ERRORS_KEY)
            sentence = _first_sentence(part, path if unnamed else f"{path}.{name}".lstrip("."))
            if sentence:
                return sentence
        return ""
    return f"{path}: {detail}" if path else str(detail)
