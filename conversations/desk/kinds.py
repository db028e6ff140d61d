"""Every kind of message in words: what a list and a summary line say."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

ICONS = {
    "image": "📷", "video": "🎥", "audio": "🎵", "voice": "🎤", "document": "📄", "sticker": "🏷️", "location": "📍",
    "contacts": "👤", "order": "🛒", "call": "📞", "revoked": "🚫", "template": "📢",
}  # fmt: skip
WORDS: dict[str, object] = {
    "image": gettext_lazy("Photo"),
    "video": gettext_lazy("Video"),
    "audio": gettext_lazy("Audio"),
    "voice": gettext_lazy("Voice message"),
    "document": gettext_lazy("Document"),
    "sticker": gettext_lazy("Sticker"),
    "location": gettext_lazy("Location"),
    "contacts": gettext_lazy("Contact card"),
    "order": pgettext_lazy("cart sent by a customer", "Order"),
    "call": gettext_lazy("Call"),
    "revoked": gettext_lazy("Deleted message"),
    "template": gettext_lazy("Template"),
    "button_reply": gettext_lazy("Button"),
    "list_reply": gettext_lazy("List choice"),
    "flow_reply": gettext_lazy("Form answer"),
    "system": gettext_lazy("WhatsApp notice"),
    "request_welcome": gettext_lazy("Opened the chat for the first time"),
    "call_permission_reply": gettext_lazy("Answer to a call request"),
    "buttons": gettext_lazy("Question with buttons"),
    "media_placeholder": gettext_lazy("File from before the number was connected"),
    "unsupported": gettext_lazy("A kind of message WhatsApp does not pass on. Ask the person to send it another way."),
    "ephemeral": gettext_lazy("A disappearing message, which WhatsApp does not pass on."),
}
SHOWN_ELSEWHERE = ("text", "image", "video", "audio", "voice", "document", "sticker", "location", "contacts", "order")


def preview(kind: str, text: str) -> str:
    """A list's line for the newest message, in the active language."""
    if not kind:
        return ""
    if kind == "revoked":
        text = ""
    word = text or str(WORDS.get(kind, "")) or (_("Unknown kind of message") if kind != "text" else "")
    icon = ICONS.get(kind, "")
    return f"{icon} {word}".strip()


def summary(kind: str, text: str, payload: dict[str, Any]) -> str:
    """One clear line for the rarer kinds; "" where bubble, text or card already say it all."""
    if kind in SHOWN_ELSEWHERE:
        return ""
    if kind == "call":
        return _call(payload)
    if kind in ("button_reply", "list_reply"):
        description = payload.get("description")
        return description if isinstance(description, str) else ""
    if kind == "buttons":
        return _buttons(payload)
    if kind == "flow_reply":
        return _("The person filled in a form.") if text else str(WORDS[kind])
    if kind in WORDS:
        return "" if text else str(WORDS[kind])
    return _("A kind of message this version does not know yet (%(kind)s). Its content is stored.") % {"kind": kind}


def _buttons(payload: dict[str, Any]) -> str:
    shown = payload.get("buttons")
    return " · ".join(f"[{one.get('title', '')}]" for one in shown) if isinstance(shown, list) else ""


def _call(payload: dict[str, Any]) -> str:
    events = payload.get("events")
    events = events if isinstance(events, dict) else {}
    names = {str(name).lower() for name in events}
    end: Any = next((part for name, part in events.items() if str(name).lower() == "terminate"), {})
    seconds = end.get("duration") if isinstance(end, dict) else None
    if isinstance(seconds, int) and not isinstance(seconds, bool) and 0 < seconds < 10**6:
        return _("Call, %(minutes)d:%(seconds)02d") % {"minutes": seconds // 60, "seconds": seconds % 60}
    return _("Missed call") if "terminate" in names or "missed" in names else _("Incoming call")
