"""The words that the inbox's scripts show, in the language of the request."""

from django.utils.translation import gettext as _


def page_labels() -> dict[str, str]:
    """Label by key; names in {braces} are filled in by the page, `_one` and `_other` are plural forms."""
    page = {
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
        "saved": _("Saved"),
        "viewing_one": _("{names} is looking at this conversation"),
        "viewing_other": _("{names} are looking at this conversation"),
        "not_yours": _("This conversation does not exist or belongs to someone else."),
        "removed": _("You no longer have access to this conversation."),
        "fail_network": _("We could not reach the server for 10 minutes. Check your connection and try again."),
        "fail_refused": _("The server did not accept this message. Edit it or delete it."),
        "fail_not_yours": _("This conversation does not exist or belongs to someone else."),
        "wait_upload": _("Wait until the file is uploaded."),
        "too_long": _("The text is too long: {most} characters at most."),
        "file_empty": _("{name} is empty. Choose another file."),
        "file_type": _("WhatsApp does not accept files like {name}. Try PDF, JPG, PNG, MP4 or an audio."),
        "file_big": _("{name} is {size}; WhatsApp accepts {most} at most. Make it smaller or send a link."),
        "file_failed": _("{name} could not be uploaded. Try again."),
        "place_short": _(
            "This link does not say where the place is. Open it in your browser and copy the long address."
        ),
        "place_unread": _("No place can be read from this. Paste a link to a map, or write “40.4168, -3.7038”."),
        "place_missing": _(
            "Give the latitude (-90 to 90) and the longitude (-180 to 180), such as 40.4168 and -3.7038."
        ),
        "no_files_now": _("You cannot attach files here now."),
    }
    return page | _list_labels() | _thread_labels() | _composer_labels()


def _list_labels() -> dict[str, str]:
    return {
        "row_draft": _("✏️ Draft: {text}"),
        "row_unsent": _("⚠️ Not sent"),
        "row_typing": _("{name} is typing…"),
        "row_noting": _("{name} is writing a note…"),
        "selected_one": _("{n} selected"),
        "selected_other": _("{n} selected"),
        "bulk_progress": _("{done} of {total} conversations…"),
        "bulk_done_one": _("{n} conversation changed."),
        "bulk_done_other": _("{n} conversations changed."),
        "bulk_undone_one": _("{n} conversation is as it was."),
        "bulk_undone_other": _("{n} conversations are as they were."),
        "bulk_skipped_one": _("{n} left as it is: {reason}"),
        "bulk_skipped_other": _("{n} left as they are: {reason}"),
        "bulk_undo": _("Undo"),
        "view_saved": _("View saved: {name}"),
        "days_backwards": _("The first day is after the last one. Change one of them."),
        "found_one": _("{n} result"),
        "found_other": _("{n} results"),
    }


def _thread_labels() -> dict[str, str]:
    return {
        "says": _("{name}: {text}"),
        "new_from_one": _("{n} new message from {name}"),
        "new_from_other": _("{n} new messages from {name}"),
        "not_arrived": _("Not delivered: {text}"),
        "attachment": _("Attachment"),
        "your_note": _("Your note"),
        "not_here": _("That message is no longer here."),
        "copied": _("Copied"),
        "marked_unread": _("Marked as unread"),
        "no_sound": _("This browser cannot play the sound. Download the file to hear it."),
        "n_of_m": _("{i} of {m}"),
        "no_hits": _("Nothing found"),
        "photo": _("Photo"),
    }


def _composer_labels() -> dict[str, str]:
    return {
        "undo": _("Undo ({s} s)"),
        "not_sent_to": _("Your message to {name} was not sent."),
        "send_anyway": _("Send anyway"),
        "is_typing": _("{name} is typing…"),
        "is_typing_note": _("{name} is writing a note…"),
        "several_typing": _("Several people are typing…"),
        "fill_variable": _("Fill in {variable} before sending."),
        "no_microphone": _("The microphone is not available. Allow it in the browser, or attach an audio file."),
        "record_failed": _("The recording could not be sent. Try again."),
        "planned": _("It will be sent {at}."),
        "undone": _("Not sent. The text is back in the box."),
        "emoji_search": _("Search emoji"),
        "voice": _("Voice message"),
        "emoji_none": _("No emoji with these words."),
        "emoji_groups": _("Faces|People|Animals|Food|Travel|Activities|Objects|Symbols|Flags|Recent"),
    }
