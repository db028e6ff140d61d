"""Bodies of API requests: JSON of a bounded size, read strictly."""

from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer


class BodyTooLarge(exceptions.APIException):
    """More bytes than any request of this API needs."""

    status_code = 413
    default_code = "too_big"


class JSONBody(BaseParser):
    """UTF-8 JSON of at most DATA_UPLOAD_MAX_MEMORY_SIZE bytes; no NaN, no lone surrogates, bounded depth."""

    media_type = "application/json"
    renderer_class = JSONRenderer

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The decoded body; raises BodyTooLarge or ParseError."""
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
        data = stream.read(most + 1)
        if len(data) > most:
            raise BodyTooLarge(_("The body is too big. Send less at once; files have their own address."))
        try:
            return orjson.loads(data)
        except ValueError as error:
            raise exceptions.ParseError(_("The body is not valid JSON in UTF-8. Check how it was written.")) from error
