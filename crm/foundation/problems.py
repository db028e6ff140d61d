"""How a refusal reaches an integrator: HTTP status, a stable `code` and a sentence in the caller's language."""

from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler as drf_exception_handler

from crm.foundation.errors import Conflict, Refusal

log = structlog.get_logger(__name__)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """The refusal's status with {"code", "detail"}; a body that fails its checks adds "fields", 503 Retry-After."""
    if isinstance(error, OperationalError | InterfaceError):
        log.warning("database not available", error=type(error).__name__)
        body = {"code": "unavailable", "detail": _("The service is busy. Try again in a moment.")}
        return Response(body, status=503, headers={"Retry-After": "5"})
    if isinstance(error, IntegrityError):  # the checks passed, and a moment later somebody else was first
        log.warning("lost a race", exc_info=error)
        error = Conflict(_("Somebody else has just changed this. Read it again and repeat your change."))
    if isinstance(error, Refusal):
        return Response({"code": error.code, "detail": str(error)} | error.extra, status=error.http_status)
    error = _as_api_exception(error)
    response = drf_exception_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return response
    if isinstance(error, exceptions.ValidationError):
        fields = error.detail if isinstance(error.detail, dict) else {api_settings.NON_FIELD_ERRORS_KEY: error.detail}
        response.data = {"code": "invalid", "detail": _first_sentence(error.detail), "fields": fields}
    else:
        codes = error.get_codes()
        response.data = {
            "code": codes if isinstance(codes, str) else error.default_code,
            "detail": _first_sentence(error.detail),
        }
    return response


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
