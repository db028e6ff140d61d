"""What the desk's POSTs carry, checked: small, forgiving where it harms nobody, clear where it does."""

import datetime as dt
import json
import uuid

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from conversations.channels.base import Location
from conversations.messaging.errors import SendRefused
from conversations.messaging.forms import LocationBody
from crm.foundation.errors import Refusal


class BadForm(Refusal):
    """A form that a browser of ours would not send."""

    code = "bad_request"
    http_status = 400


class UploadMissing(SendRefused):
    code = "attachment"


class TooManyFiles(SendRefused):
    code = "too_many_files"


class PlaceRefused(SendRefused):
    code = "place"


def read_uuid(value: str) -> uuid.UUID | None:
    """A UUID, None if the text is none."""
    try:
        return uuid.UUID(value)
    except ValueError:
        return None


def required_uuid(data: QueryDict, name: str) -> uuid.UUID:
    """The UUID in a field; raises BadForm."""
    found = read_uuid(data.get(name, ""))
    if found is None:
        raise BadForm(_("The page sent an incomplete request. Reload it and try again."))
    return found


def read_version(data: QueryDict) -> int | None:
    """The version a form was made from; None if it says none."""
    text = data.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def read_pk(text: str) -> int | None:
    """A primary key from a form; None for nothing; raises BadForm for nonsense."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadForm(_("The page sent an incomplete request. Reload it and try again."))
    return int(text)


def read_moment(text: str) -> dt.datetime:
    """A moment in ISO 8601, without an offset in the reader's time zone; raises BadForm."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise BadForm(_("Choose a day and a time.")) from error
    if not 2000 <= moment.year <= 2200:
        raise BadForm(_("Choose a day and a time."))
    return (timezone.make_aware(moment) if moment.tzinfo is None else moment).astimezone(dt.UTC)


def read_place(text: str) -> Location:
    """The place in a field, as the API takes it; raises PlaceRefused."""
    try:
        body = LocationBody(data=json.loads(text))
    except (ValueError, RecursionError):
        body = LocationBody(data=None)
    if not body.is_valid():
        raise PlaceRefused(
            _("This is not a place on the map: the latitude goes from -90 to 90, the longitude from -180 to 180.")
        )
    return Location(**body.validated_data)
