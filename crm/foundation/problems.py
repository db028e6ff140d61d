"""How a refusal reaches an integrator: HTTP status, a stable `code` and a sentence in the caller's language."""

from typing import Any

from django.db import OperationalError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from crm.foundation.errors import Refusal


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """409 for a domain refusal, 503 while the database is away; DRF's own answers with `code` added."""
    if isinstance(error, Refusal):
        body = {"code": error.code, "detail": str(error)} | error.extra
        return Response(body, status=error.http_status)
    if isinstance(error, OperationalError):
        return Response({"code": "unavailable", "detail": "Try again in a moment."}, status=503)
    response = drf_exception_handler(error, context)
    if response is not None and isinstance(response.data, dict):
        if isinstance(error, exceptions.ValidationError):
            response.data = {"code": "invalid", "detail": response.data}
        else:
            response.data.setdefault("code", getattr(error, "default_code", "error"))
    return response
