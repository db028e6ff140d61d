"""How often the API may be called: per token, and per address, whether a token is good or not."""

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.request import Request

from crm.foundation import throttle
from crm.staff.middleware import block_of
from crm.staff.models import ApiToken


class TooOften(exceptions.Throttled):
    """Answered as 429 with Retry-After."""

    default_code = "too_often"

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        sentence = _("Too many requests. Try again in %(seconds)d seconds.") % {"seconds": seconds}
        self.detail = exceptions.ErrorDetail(sentence, self.default_code)


def check_address(request: Request) -> None:
    """Count a request by where it comes from (of IPv6 a /64); raises TooOften."""
    _check(f"api:address:{block_of(request)}", settings.API_PER_ADDRESS)


def check_token(token: ApiToken) -> None:
    """Count a request by its token; raises TooOften."""
    _check(f"api:token:{token.pk}", settings.API_PER_TOKEN)


def _check(key: str, limit: int) -> None:
    seconds = throttle.wait_for(key, limit)
    if seconds:
        raise TooOften(seconds)
