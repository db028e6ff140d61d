"""The words that the inbox's scripts show, in the language of the request."""

from django.utils.translation import gettext as _


def page_labels() -> dict[str, str]:
    """Label by key; names in {braces} are filled in by the page, `_one` and `_other` are plural forms."""
    return {
        "inbox": _("Inbox"),
        "today": _("Today"),
        "yesterday": _("Yesterday"),
        "minutes": _("{m} min"),
        "hours": _("{h} h"),
        "hours_minutes": _("{h} h {m} min"),
        "days": _("{d} d"),
        "waiting": _("Waiting {time}"),
        "window_open": _("You can reply until {at} ({time} left)"),
        "window_closing": _("The reply window closes in {time}"),
        "window_closed": _("Window closed"),
        "window_never": _("Has not written yet"),
        "template_only": _("Template"),
        "new_conversations_one": _("{n} new conversation"),
        "new_conversations_other": _("{n} new conversations"),
        "new_order": _("Reorder the list"),
        "list_full": _("There are more. Search by name or number to find them."),
        "not_loaded": _("It could not be loaded. Check your connection and try again."),
        "not_done": _("It could not be done. Try again in a moment."),
        "not_yours": _("This conversation does not exist or belongs to someone else."),
        "removed": _("You no longer have access to this conversation."),
        "says": _("{name}: {text}"),
        "new_from_one": _("{n} new message from {name}"),
        "new_from_other": _("{n} new messages from {name}"),
        "attachment": _("Attachment"),
        "your_note": _("Your note"),
        "further_up": _("That message is further up in the conversation."),
        "fail_network": _("We could not reach the server for 10 minutes. Check your connection and try again."),
        "fail_refused": _("The server did not accept this message. Edit it or delete it."),
        "fail_not_yours": _("This conversation does not exist or belongs to someone else."),
        "wait_upload": _("Wait until the file is uploaded."),
        "too_long": _("The text is too long: {most} characters at most."),
        "file_empty": _("{name} is empty. Choose another file."),
        "file_type": _("WhatsApp does not accept files like {name}. Try PDF, JPG, PNG, MP4 or an audio."),
        "file_big": _("{name} is {size}; WhatsApp accepts {most} at most. Make it smaller or send a link."),
        "file_failed": _("{name} could not be uploaded. Try again."),
        "no_files_now": _("You cannot attach files here now."),
    }
