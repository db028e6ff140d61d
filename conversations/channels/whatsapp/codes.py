"""Meta's error codes in one table: the kind of failure, and the sentence that tells the agent what to do.

Source: Meta's error-code page (Cloud API, November 2026). Logic hangs on the code, never on titles alone.
"""

from django.utils.translation import gettext_lazy as _

PERMANENT, RETRY, CIRCUIT, OPT_OUT = "permanent", "retry", "circuit", "opt_out"

TOKEN = _("The number's access token no longer works. A manager must renew it; waiting messages are then sent.")
PAYMENT = _(
    "Meta does not accept the account's payment method. "
    "A manager must settle it in Meta Business; waiting messages are then sent."
)
LOCKED = _("Meta has restricted this WhatsApp account. A manager must look into it in Meta Business.")
BUSY = _("WhatsApp is limiting how fast this number may send. We try again by ourselves.")
TRY_LATER = _("WhatsApp is having trouble right now. We try again by ourselves.")
WINDOW = _("More than 24 hours have passed since the customer's last message. Send an approved template instead.")
BAD_REQUEST = _("WhatsApp did not accept the content of this message. Change it and send it again.")
UNREACHABLE = _(
    "The message could not be delivered: the number may not be on WhatsApp or has blocked you. "
    "Try another way to reach this person."
)
TEMPLATE = _("The template cannot be used right now. A manager should check it in Meta Business.")
MEDIA = _("WhatsApp could not process the file. Check its type and size and send it again.")

NOT_TAKEN = _("WhatsApp had trouble and did not deliver this message. Try again.")

TABLE: dict[int, tuple[str, object]] = {
    0: (CIRCUIT, TOKEN),
    1: (RETRY, TRY_LATER),
    2: (RETRY, TRY_LATER),
    3: (CIRCUIT, _("The access token lacks a permission. A manager must renew it with the messaging permission.")),
    4: (RETRY, BUSY),
    10: (CIRCUIT, _("The access token lacks a permission. A manager must renew it with the messaging permission.")),
    33: (PERMANENT, _("WhatsApp does not know this number of ours. A manager should check the set-up.")),
    100: (PERMANENT, BAD_REQUEST),
    190: (CIRCUIT, TOKEN),
    200: (CIRCUIT, _("The access token lacks a permission. A manager must renew it with the messaging permission.")),
    368: (CIRCUIT, LOCKED),
    80007: (RETRY, BUSY),
    130429: (RETRY, BUSY),
    130472: (PERMANENT, _("Meta is running an experiment and does not deliver marketing messages to this person.")),
    130497: (PERMANENT, _("This business may not write to people in that country.")),
    131000: (RETRY, TRY_LATER),
    131005: (CIRCUIT, _("The access token lacks a permission. A manager must renew it with the messaging permission.")),
    131008: (PERMANENT, BAD_REQUEST),
    131009: (PERMANENT, BAD_REQUEST),
    131016: (RETRY, TRY_LATER),
    131021: (PERMANENT, _("A number cannot write to itself. Choose another contact.")),
    131026: (PERMANENT, UNREACHABLE),
    131030: (PERMANENT, _("This number of ours is a test number and may only write to registered recipients.")),
    131031: (CIRCUIT, LOCKED),
    131037: (
        PERMANENT,
        _("The display name of our number is not approved yet. A manager should check it in Meta Business."),
    ),
    131042: (CIRCUIT, PAYMENT),
    131045: (CIRCUIT, _("Our number is not registered with WhatsApp. A manager must register it again.")),
    131047: (PERMANENT, WINDOW),
    131048: (
        RETRY,
        _("Too many recipients reported messages from this number as spam. WhatsApp limits it for a while."),
    ),
    131049: (PERMANENT, _("WhatsApp limited marketing messages to this contact. Try later or wait for them to write.")),
    131050: (OPT_OUT, _("This person has stopped marketing messages from you. Do not send them any more.")),
    131051: (PERMANENT, _("WhatsApp does not support this kind of message.")),
    131052: (PERMANENT, MEDIA),
    131053: (PERMANENT, MEDIA),
    131056: (RETRY, _("Too many messages to this person in a short time. We try again by ourselves.")),
    131057: (RETRY, _("WhatsApp is upgrading this number. We try again by ourselves.")),
    131062: (PERMANENT, _("This kind of message needs the person's phone number, which WhatsApp does not show you.")),
    132000: (PERMANENT, TEMPLATE),
    132001: (PERMANENT, TEMPLATE),
    132005: (PERMANENT, TEMPLATE),
    132007: (PERMANENT, TEMPLATE),
    132012: (PERMANENT, TEMPLATE),
    132015: (PERMANENT, TEMPLATE),
    132016: (PERMANENT, TEMPLATE),
    133010: (CIRCUIT, _("Our number is not registered with WhatsApp. A manager must register it again.")),
    134011: (CIRCUIT, PAYMENT),
    135000: (PERMANENT, BAD_REQUEST),
}

OWN: dict[str, object] = {
    "consent_missing": _("This person has not agreed to be written to for this. Nothing was sent."),
    "window_closed": WINDOW,
    "not_sent": _("WhatsApp could not be reached. We try again by ourselves."),
    "gave_up": _("WhatsApp could not be reached for a long time. Try again."),
    "unanswered": _(
        "We could not confirm the send. Check before trying again so that the person does not get it twice."
    ),
    "not_arrived": _("Somebody has found out that this message did not arrive. Try again."),
    "upload_failed": _("The file could not be handed to WhatsApp. We try again by ourselves."),
    "bad_content": BAD_REQUEST,
    "portfolio_limit": _(
        "Meta's daily limit of people you may write to first is used up. We send this by ourselves as soon as we may."
    ),
    "file_missing": _("The file is no longer on the server. Attach it again."),
}


def kind_of(code: int, http_status: int = 400) -> str:
    """permanent, retry, circuit or opt_out; an unlisted code is retried only if Graph calls it its own fault (5xx,
    429).
    """
    if code in TABLE:
        return TABLE[code][0]
    return RETRY if http_status >= 500 or http_status == 429 else PERMANENT


def sentence(code: str, *, is_final: bool = False) -> str:
    """What to tell the agent about an error code, Meta's or our own, in the active language; "" for no code.

    With `is_final` the message has failed: nothing is tried again by itself, whatever the code.
    """
    if not code:
        return ""
    if is_final and (code in ("not_sent", "upload_failed") or kind_of_text(code) == RETRY):
        return str(OWN["gave_up"] if code == "not_sent" else NOT_TAKEN)
    if code in OWN:
        return str(OWN[code])
    if code.isascii() and code.isdigit() and int(code) in TABLE:
        return str(TABLE[int(code)][1])
    return str(
        _("WhatsApp did not deliver the message (error %(code)s). Try again or reach the person another way.")
    ) % {"code": code}


def kind_of_text(code: str) -> str:
    """The kind of a code as stored on an inbox; "" for our own codes."""
    return kind_of(int(code)) if code.isascii() and code.isdigit() else ""
