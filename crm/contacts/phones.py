"""Phone numbers as WhatsApp writes them, and the one form in which two spellings of the same number meet."""

import re

import phonenumbers
from django.utils.translation import gettext as _

_DIGITS = re.compile(r"[0-9]{5,20}")


def digits_of(address: str) -> str:
    """The bare ASCII digits of a wa_id or phone; "" for anything else."""
    bare = re.sub(r"[\s+().\-]", "", address)
    return bare if _DIGITS.fullmatch(bare) else ""


def match_key(wa_id: str) -> str:
    """The canonical form: Brazilian mobiles with their ninth digit, Mexico without the 1, Argentina without the 9.

    Source: the numbering plans (ANATEL 2016; IFT 2019/2020; ENACOM): WhatsApp keeps ids from before those changes.
    Landlines in Brazil (subscriber number starting 2–5) have no ninth digit and are left alone.
    """
    digits = digits_of(wa_id)
    if not digits:
        return wa_id
    if digits.startswith("55") and len(digits) == 12 and digits[4] in "6789":
        return f"{digits[:4]}9{digits[4:]}"
    if digits.startswith("521") and len(digits) == 13:
        return f"52{digits[3:]}"
    if digits.startswith("549") and len(digits) == 13:
        return f"54{digits[3:]}"
    return digits


def e164(wa_id: str) -> str | None:
    """The number one can dial, `+` first, or None if it cannot be one anywhere.

    Brazil's and Mexico's old ids become today's numbers; Argentina's 9 is part of a mobile's international number.
    """
    digits = digits_of(wa_id)
    if not digits.startswith("549"):
        digits = match_key(digits)
    if not digits:
        return None
    try:
        number = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return None
    return f"+{digits}" if phonenumbers.is_possible_number(number) else None


def number(text: str) -> str | None:
    """The E.164 form of a number in any spelling; without + or 00 only if valid, so that no local number passes."""
    digits = digits_of(text)
    if text.strip().startswith("+") or digits.startswith("00"):
        return e164(digits.removeprefix("00"))
    found = e164(digits)
    return found if found and phonenumbers.is_valid_number(phonenumbers.parse(found)) else None


def not_a_number() -> str:
    """What to say to who wrote something else where a phone belongs."""
    return _("This is not a phone number. Write it with its country code, such as +34 600 123 456.")
