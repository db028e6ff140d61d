"""What becomes of drafts, mentions, saved views and canned answers when a person is erased."""

from urllib.parse import parse_qsl, urlencode

from conversations.answers.models import CannedAnswer
from conversations.desk.models import Draft, SavedView
from conversations.messaging.personal import HOW_WE_WORK
from conversations.notices.models import Notice
from crm.privacy import rules
from crm.privacy.person import Person


def add() -> None:
    """Tell the rules of privacy what these tables need."""
    rules.add(
        rules.linked(Draft, "conversation__contact", why_not="what staff have begun to write and not said"),
        rules.linked(Notice, "conversation__contact", "message__sender__contact", why_not=HOW_WE_WORK),
        rules.Sweep(
            model=SavedView, rows=lambda person: SavedView.objects.all(), take=_clean, why_not="searches of staff"
        ),
    )
    rules.impersonal(CannedAnswer, because="words of the business")


def _clean(row: SavedView, person: Person) -> bool:
    pairs = parse_qsl(row.query, keep_blank_values=True)
    clean, name = [(key, person.without_addresses(value)) for key, value in pairs], person.without_addresses(row.name)
    if (clean, name) == (pairs, row.name):
        return False
    name = name if name == row.name else f"{name[:40]} {row.pk}"  # of one person, each is there once
    SavedView.objects.filter(pk=row.pk).update(query=urlencode(clean)[:1000], name=name)
    return True
