"""Facts of a conversation's timeline in words."""

import datetime as dt
from typing import Any

from django.utils import formats, timezone
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from conversations.desk import later
from conversations.messaging.models import Conversation, ConversationEvent


def happening(event: ConversationEvent) -> str:
    """One line for a fact of the timeline, in the active language."""
    who = event.user.name if event.user else ""
    data = {"who": who, "assignee": event.data.get("assignee", ""), "team": event.data.get("team", "")}
    match event.kind:
        case "assigned" if who and who == data["assignee"]:
            return _("%(who)s took the conversation") % data
        case "assigned" if data["assignee"] and data["team"]:
            return _("%(who)s assigned this to %(assignee)s (%(team)s)") % data
        case "assigned" if data["assignee"]:
            return _("%(who)s assigned this to %(assignee)s") % data
        case "assigned" if data["team"]:
            return _("%(who)s gave this to the team %(team)s") % data
        case "assigned":
            return _("%(who)s took the assignment away") % data
        case "resolved":
            return _("%(who)s resolved the conversation") % data
        case "reopened" if who:
            return _("%(who)s reopened the conversation") % data
        case "reopened":
            return _("Reopened by a new message")
        case "snoozed" | "woken":
            return _snoozing(event, data)
        case "tagged" | "untagged":
            return _tags(event, data)
        case "priority":
            return _priority(event, data)
        case "scheduled_refused":
            data["reason"] = later.sentence(event.data.get("reason", ""))
            return _("The message of %(who)s to be sent later was not sent: %(reason)s") % data
        case "scheduled_changed" if event.data.get("author"):
            data["author"] = event.data["author"]
            return _("%(who)s changed the message of %(author)s to be sent later") % data
        case "scheduled_changed":
            return _("%(who)s changed a message to be sent later") % data
        case "scheduled_not_needed":
            return _("The message of %(who)s to be sent later was not needed: they answered first") % data
        case "consent_withdrawn":
            return _("This person has stopped marketing messages")
        case "consent_granted":
            return _("This person wants marketing messages")
        case "consent_asked":
            return _("Asked by itself whether to stop marketing messages")
        case "consent_kept":
            return _("This person meant something else, not marketing messages")
        case "wa_id_changed":
            return _("This person has changed their phone number")
        case "user_id_changed":
            return _("WhatsApp gave this person a new id")
    return event.kind


def _snoozing(event: ConversationEvent, data: dict[str, Any]) -> str:
    if event.kind == "woken":
        if data["who"]:
            return _("%(who)s ended the snooze") % data
        by_message = event.data.get("why") == "message"
        return _("Back from snooze: a new message") if by_message else _("Back from snooze: it is time")
    until = _moment(event.data.get("until", ""))
    if until:
        return _("%(who)s snoozed the conversation until %(until)s") % (data | {"until": until})
    return _("%(who)s snoozed the conversation until the person writes") % data


def _tags(event: ConversationEvent, data: dict[str, Any]) -> str:
    names = [str(name) for name in event.data.get("tags", [])]
    data = data | {"tags": get_text_list(names, _("and"))}
    if event.kind == "tagged":
        return ngettext("%(who)s added the tag %(tags)s", "%(who)s added the tags %(tags)s", len(names)) % data
    return ngettext("%(who)s removed the tag %(tags)s", "%(who)s removed the tags %(tags)s", len(names)) % data


def _priority(event: ConversationEvent, data: dict[str, Any]) -> str:
    rank = event.data.get("to")
    if rank not in Conversation.Priority.values or not rank:
        return _("%(who)s took the priority away") % data
    return _("%(who)s set the priority to “%(priority)s”") % (data | {"priority": Conversation.Priority(rank).label})


def _moment(text: str) -> str:
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        return ""
    return formats.date_format(timezone.localtime(at), "DATETIME_FORMAT")
