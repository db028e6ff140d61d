"""What the set-up page says of a number: each part with its state and a sentence that says what to do."""

import datetime as dt
from dataclasses import dataclass, replace

from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from conversations.graphapi.client import MESSAGING_LIMIT
from conversations.inboxes.models import Inbox, NumberCheck
from crm.foundation import clock

OK, WARN, BAD, UNKNOWN = "ok", "warn", "bad", "unknown"
QUIET = dt.timedelta(days=1)
OLD = dt.timedelta(days=2)  # what Meta said then may no longer be so
FROM_META = frozenset({"token", "fields", "quality", "limit", "payment", "templates"})
# What the product listens to. Without the first nothing works; without the others it learns of trouble late.
NEEDED = "messages"
WISHED = ("message_template_status_update", "phone_number_quality_update", "account_update", "account_alerts")
TOKEN_CODES = ("0", "190")
RIGHTS_CODES = ("3", "10", "200", "131005")
PAYMENT_CODES = ("131042", "134011")


@dataclass(frozen=True)
class Finding:
    """One part of the set-up."""

    key: str
    title: str
    state: str
    sentence: str


@dataclass(frozen=True)
class Signals:
    """What is known besides the rows of the number: refused webhooks, and Meta's limits in words of ours."""

    refused_count: int = 0  # on the last day with any
    refused_at: dt.datetime | None = None
    circuit_sentence: str = ""
    people_per_day: int | None = None
    inbound_at: dt.datetime | None = None  # when somebody last wrote to this number, of the last QUIET


def findings(inbox: Inbox, signals: Signals) -> list[Finding]:
    """Every part, in the order in which one sets a number up; of a number as `views.with_set_up` reads it."""
    check: NumberCheck | None = getattr(inbox, "number_check", None)
    found = [
        Finding("token", _("Access token"), *_token(inbox, check, signals)),
        Finding("webhook", _("Webhook verified"), *_webhook(inbox)),
        Finding("event", _("Last webhook"), *_last_event(inbox, signals)),
        Finding("signature", _("Signatures"), *_signatures(inbox, signals)),
        Finding("fields", _("Subscribed fields"), *_fields(check)),
        Finding("quality", _("Quality of the number"), *_quality(check)),
        Finding("limit", _("Messaging limit"), *_limit(check, signals)),
        Finding("payment", _("Payment method"), *_payment(inbox, check)),
        Finding("templates", _("Templates"), *_templates(check)),
        Finding("teams", _("Teams"), *_teams(inbox)),
    ]
    if check is None or clock.real() - check.asked_at <= OLD:
        return found
    return [_grown_old(one, check.asked_at) if one.key in FROM_META else one for one in found]


def _grown_old(finding: Finding, asked_at: dt.datetime) -> Finding:
    """What Meta said so long ago is not fine any more, only known as of then."""
    words = _("Meta said so on %(day)s and was not asked since: press “Ask Meta now”.") % {"day": _moment(asked_at)}
    state = WARN if finding.state == OK else finding.state
    return replace(finding, state=state, sentence=f"{finding.sentence} {words}")


def done_of(found: list[Finding]) -> int:
    """How many parts are as they should be."""
    return sum(one.state == OK for one in found)


type _Verdict = tuple[str, str]


def _token(inbox: Inbox, check: NumberCheck | None, signals: Signals) -> _Verdict:
    if not inbox.account.access_token:
        return BAD, _(
            "There is none. In Meta Business, under System users, make a token with the rights "
            "whatsapp_business_messaging and whatsapp_business_management, and enter it in the account."
        )
    problem = check.problems.get("number", "") if check else ""
    if problem in TOKEN_CODES:
        return BAD, _("Meta does not accept it any more. Make a new one in Meta Business and enter it in the account.")
    if problem in RIGHTS_CODES:
        return BAD, _(
            "It lacks a right. Make one with whatsapp_business_messaging and whatsapp_business_management, "
            "for a system user that has this account among its assets."
        )
    if problem and not _is_trouble(problem):
        return BAD, _(
            "It works, but does not open this number (error %(code)s). Compare the phone number id with the one at "
            "Meta, and give the system user this account."
        ) % {"code": problem}
    if signals.circuit_sentence:
        return BAD, signals.circuit_sentence
    return _asked(check, "number") or (OK, _("Meta accepts it."))


def _webhook(inbox: Inbox) -> _Verdict:
    account = inbox.account
    if account.webhook_verified_at:
        return OK, _("Meta verified the address: %(day)s") % {"day": _moment(account.webhook_verified_at)}
    if account.last_event_at:
        return OK, _("Webhooks arrive, so the address is verified.")
    return BAD, _(
        "Not yet. In Meta for Developers, under WhatsApp, Configuration, enter the callback URL and the verify token "
        "below and press “Verify and save”."
    )


def _last_event(inbox: Inbox, signals: Signals) -> _Verdict:
    if signals.inbound_at is not None:
        return OK, _("Received: %(day)s") % {"day": _moment(signals.inbound_at)}
    at = inbox.account.last_event_at
    if at is None:
        return WARN, _("None has come. Write to this number from a phone: it has to appear in the inbox in seconds.")
    if clock.real() - at > QUIET:
        return WARN, _(
            "The last one came some time ago (%(day)s). If people have written since, look at the subscription at Meta."
        ) % {"day": _moment(at)}
    return WARN, _(
        "Webhooks of the account arrive (%(day)s), but nobody has written to this number in the last 24 hours. Write "
        "to it from a phone: it has to appear in the inbox in seconds."
    ) % {"day": _moment(at)}


def _signatures(inbox: Inbox, signals: Signals) -> _Verdict:
    if not any(row.is_active for row in inbox.account.app_secrets.all()):
        return BAD, _(
            "There is no app secret, so every webhook is refused. Copy it from Meta for Developers, App settings, "
            "Basic, and enter it in the account."
        )
    good, bad = inbox.account.last_event_at, inbox.account.refused_at
    if bad is not None and (good is None or bad - good > dt.timedelta(minutes=10)):
        words = _("A webhook that names this account was refused (%(day)s).") % {"day": _moment(bad)}
        advice = _("No good one has come since: compare the app secret with the one at Meta, and enter it anew.")
        return BAD, f"{words} {advice}"
    if signals.refused_at is None:
        return OK, _("No webhook has been refused for its signature.")
    words = ngettext(
        "%(count)s webhook was refused that day (%(day)s).",
        "%(count)s webhooks were refused that day (the last: %(day)s).",
        signals.refused_count,
    ) % {"count": number_format(signals.refused_count, force_grouping=True), "day": _moment(signals.refused_at)}
    if bad is None:
        advice = _("None names this account: a stranger tried, or its ids are entered wrongly here.")
    else:
        advice = _("Good ones come too: somebody else tried, or an old app still sends. Nothing needs to be done.")
    return (WARN if clock.real() - signals.refused_at < QUIET else OK), f"{words} {advice}"


def _fields(check: NumberCheck | None) -> _Verdict:
    waits = _asked(check, "apps")
    if waits or check is None:
        return waits or (UNKNOWN, "")
    if not check.answers["apps"]["apps"]:
        return BAD, _(
            "No app is subscribed to this account, so Meta sends nothing. In Meta for Developers, under WhatsApp, "
            "Configuration, subscribe the field messages."
        )
    names = (check.answers.get("fields") or {}).get("fields")
    if names is None:
        return UNKNOWN, _(
            "Meta tells only the app itself. Look in Meta for Developers, under WhatsApp, Configuration: "
            "messages must be ticked."
        )
    if NEEDED not in names:
        return BAD, _("The field messages is not ticked, so nothing arrives. Tick it under WhatsApp, Configuration.")
    missing = [name for name in WISHED if name not in names]
    if missing:
        return WARN, _("messages is subscribed. Subscribe also: %(fields)s.") % {"fields": ", ".join(missing)}
    return OK, _("%(fields)s.") % {"fields": ", ".join(names)}


def _quality(check: NumberCheck | None) -> _Verdict:
    waits = _asked(check, "number")
    if waits or check is None:
        return waits or (UNKNOWN, "")
    number = check.answers["number"]
    status, rating = str(number.get("status") or ""), str(number.get("quality_rating") or "")
    if status and status != "CONNECTED":
        return BAD, _("Meta says the number is %(status)s. Look at it in WhatsApp Manager.") % {"status": status}
    if rating == "RED":
        return BAD, _("Low: people block or report these messages. Send fewer campaigns, to people who asked for them.")
    if rating == "YELLOW":
        return WARN, _("Medium: some people block or report these messages. Look at what the last campaigns said.")
    if rating == "GREEN":
        return OK, _("High.")
    return OK, _("Meta has not rated it yet: it has sent too little.")


def _limit(check: NumberCheck | None, signals: Signals) -> _Verdict:
    waits = _asked(check, "limit")
    if waits or check is None:
        return waits or (UNKNOWN, "")
    if signals.people_per_day is None:
        if check.answers["limit"].get(MESSAGING_LIMIT):
            return OK, _("As many people a day as you like may be written to first.")
        return UNKNOWN, _("Meta does not say. It is in WhatsApp Manager, under Overview.")
    words = ngettext(
        "%(people)s person may be written to first in 24 hours.",
        "%(people)s people may be written to first in 24 hours.",
        signals.people_per_day,
    ) % {"people": number_format(signals.people_per_day, force_grouping=True)}
    if signals.people_per_day <= 250:
        return WARN, words + " " + _("Verify the business at Meta to raise it.")
    return OK, words


def _payment(inbox: Inbox, check: NumberCheck | None) -> _Verdict:
    if inbox.circuit_code in PAYMENT_CODES:
        return BAD, _("Meta refuses to send for lack of a valid payment method. Settle it in Meta Business, Billing.")
    if check is not None and "payment" in check.answers:
        if check.answers["payment"].get("primary_funding_id"):
            return OK, _("There is one.")
        return WARN, _(
            "Meta names none. Answers to people who wrote are free up to a limit; add one in Meta Business, Billing, "
            "before sending templates."
        )
    return UNKNOWN, _("Meta has not said. Look in Meta Business, Billing: without one, templates are not delivered.")


def _templates(check: NumberCheck | None) -> _Verdict:
    waits = _asked(check, "templates")
    if waits or check is None:
        return waits or (UNKNOWN, "")
    states = check.answers["templates"]["states"]
    approved, total = states.get("APPROVED", 0), sum(states.values())
    if not approved:
        return WARN, _(
            "None is approved. Who has not written for 24 hours can only be reached by a template: "
            "make one in WhatsApp Manager."
        )
    words = _("%(approved)d approved of %(total)d.") % {"approved": approved, "total": total}
    if _stopped(states):
        return WARN, words + " " + _("Some are rejected, paused or disabled: look at them in WhatsApp Manager.")
    return OK, words


def has_stopped_templates(inbox: Inbox) -> bool:
    """Whether Meta said that templates of the number's account are rejected, paused or disabled."""
    check: NumberCheck | None = getattr(inbox, "number_check", None)
    return check is not None and _stopped(check.answers.get("templates", {}).get("states", {}))


def _stopped(states: dict[str, int]) -> bool:
    return any(states.get(state) for state in ("REJECTED", "PAUSED", "DISABLED"))


def _teams(inbox: Inbox) -> _Verdict:
    names = [team.name for team in inbox.teams.all()]
    if names:
        return OK, _("Answered by: %(teams)s.") % {"teams": ", ".join(names)}
    return WARN, _("No team answers this number: only managers see its conversations. Choose one in the inbox's form.")


def _asked(check: NumberCheck | None, part: str) -> _Verdict | None:
    """What to say where Meta has said nothing of a part; None if it has."""
    if check is None:
        return UNKNOWN, _("Not asked yet. Press “Ask Meta now”.")
    problem = check.problems.get(part, "")
    if problem == "not_sent":
        return UNKNOWN, _("Meta could not be reached. Check this server's connection and ask again.")
    if problem == "unanswered":
        return UNKNOWN, _("Meta did not answer in time. Ask again.")
    if problem or part not in check.answers:
        return UNKNOWN, _("Meta did not answer this (error %(code)s). Look at the access token first.") % {
            "code": problem or "—"
        }
    return None


def _is_trouble(problem: str) -> bool:
    """Of the network or of Meta, not of what was asked."""
    return problem in ("not_sent", "unanswered", "1", "2", "4", "80007")


def _moment(at: dt.datetime) -> str:
    return date_format(localtime(at), "SHORT_DATETIME_FORMAT")
