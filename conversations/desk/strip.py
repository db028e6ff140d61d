"""The strip above the composer: whether one may write, until when, and what to do if not."""

import datetime as dt
from typing import Any

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from conversations.channels.whatsapp import codes
from conversations.messaging.models import Conversation
from crm.consent import ledger
from crm.consent.models import Purpose, State
from crm.foundation import clock

# When only the business can begin: then it matters what the person allowed.
TEMPLATES_ONLY = ("never", "closed")


def composer_of(conversation: Conversation) -> dict[str, Any]:
    """State open · closing · closed · never · read_only · circuit, with its sentence."""
    now, name = clock.now(), conversation.contact.title
    state = conversation.window_state(now)
    inbox = conversation.inbox
    if state == "none":
        state, text = "read_only", _("WhatsApp groups can be read here but not answered. Write to the person directly.")
    elif state == "never":
        text = _("%(name)s hasn't written to you yet. Start with an approved template.") % {"name": name}
    elif state == "closed":
        text = _("More than 24 h since %(name)s's last message. You can only send an approved template.") % {
            "name": name
        }
    elif inbox.circuit_code and inbox.circuit_until and codes.kind_of_text(inbox.circuit_code) == codes.CIRCUIT:
        state, text = "circuit", codes.sentence(inbox.circuit_code)
    else:
        text = _open_text(conversation.window_expires_at or now, now, is_closing=state == "closing")
    if state in TEMPLATES_ONLY and ledger.state_of(conversation.contact, Purpose.MARKETING) == State.WITHDRAWN:
        text = f"{text} {_('They asked for no marketing messages.')}"
    return {
        "state": state,
        "expires_at": conversation.window_expires_at,
        "now": now,
        "text": text,
        "can_write": state in ("open", "closing", "circuit"),
    }


def _open_text(expires_at: dt.datetime, now: dt.datetime, *, is_closing: bool) -> str:
    left = duration(expires_at - now)
    if is_closing:
        return _("The reply window closes in %(left)s") % {"left": left}
    local = timezone.localtime(expires_at)
    return _("You can reply until %(time)s (%(left)s left)") % {
        "time": formats.time_format(local, "TIME_FORMAT"),
        "left": left,
    }


def duration(span: dt.timedelta) -> str:
    """Hours and minutes in words: "3 h 20 min"."""
    minutes = max(int(span.total_seconds()) // 60, 0)
    if minutes < 60:
        return _("%(minutes)d min") % {"minutes": minutes}
    return _("%(hours)d h %(minutes)d min") % {"hours": minutes // 60, "minutes": minutes % 60}
