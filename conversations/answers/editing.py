"""Making, changing and deleting canned answers: managers do, everybody uses them."""

import re

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from conversations.answers.models import CannedAnswer
from conversations.channels.whatsapp import limits
from crm.audit import log
from crm.foundation.errors import Refusal
from crm.foundation.retrying import in_transaction
from crm.foundation.text import clean_text
from crm.staff.models import Team, User

TITLE_MAX = 100
_SHORTCUT = re.compile(r"[a-z0-9_-]{1,40}")


class BadAnswer(Refusal):
    """A canned answer that cannot be kept like this; `field` in `extra` says which part."""

    code = "invalid"
    http_status = 422


@in_transaction
def save(answer: CannedAnswer, *, shortcut: str, title: str, body: str, team: Team | None, by: User) -> CannedAnswer:
    """Check and keep; raises BadAnswer with the field and what to do."""
    for name, text in checked(shortcut=shortcut, title=title, body=body).items():
        setattr(answer, name, text)
    answer.team = team
    is_new = answer._state.adding
    before = {} if is_new else log.snapshot(CannedAnswer.objects.select_for_update().get(pk=answer.pk))
    if is_new:
        answer.created_by = by
    answer.refresh_search_text()
    try:
        with transaction.atomic():
            answer.save()
    except IntegrityError as error:
        raise BadAnswer(taken(answer.shortcut), field="shortcut") from error
    if is_new:
        log.created(answer, by=by)
    else:
        log.changed(answer, before, by=by)
    return answer


@in_transaction
def delete(answer: CannedAnswer, *, by: User) -> None:
    """It is no longer offered; what was sent with it stays."""
    log.deleted(answer, by=by)
    answer.delete()


def checked(*, shortcut: str, title: str, body: str) -> dict[str, str]:
    """The texts as they are kept; raises BadAnswer."""
    texts = {
        "shortcut": _checked_shortcut(shortcut),
        "title": clean_text(title).strip(),
        "body": clean_text(body).replace("\r\n", "\n").strip(),
    }
    if len(texts["title"]) > TITLE_MAX:
        raise BadAnswer(
            _("The title may have at most %(limit)s characters. Shorten it.") % {"limit": TITLE_MAX}, field="title"
        )
    if not texts["body"]:
        raise BadAnswer(_("The text is empty. Write what shall be inserted."), field="body")
    if len(texts["body"]) > limits.TEXT_MAX:
        raise BadAnswer(
            _("The text may have at most %(limit)s characters. Shorten it.") % {"limit": limits.TEXT_MAX}, field="body"
        )
    return texts


def taken(shortcut: str) -> str:
    """What to say where another answer has this shortcut."""
    sentence = _("There is already an answer with the shortcut /%(shortcut)s. Choose another one.")
    return sentence % {"shortcut": shortcut}


def _checked_shortcut(text: str) -> str:
    shortcut = clean_text(text).strip().removeprefix("/").lower()
    if not _SHORTCUT.fullmatch(shortcut):
        raise BadAnswer(
            _("Write the shortcut with small letters, digits and hyphens, without spaces: for example, greeting."),
            field="shortcut",
        )
    return shortcut
