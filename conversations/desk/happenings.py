"""Facts of a conversation's timeline in words."""

from django.utils.translation import gettext as _

from conversations.messaging.models import ConversationEvent


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
        case "wa_id_changed":
            return _("This person has changed their phone number")
        case "user_id_changed":
            return _("WhatsApp gave this person a new id")
    return event.kind
