"""Phones, e-mail addresses and accounts as a user may see them: in full, or with their middle hidden.

Whoever shows one to a user takes it through here. `user` left out is whoever looks at the present request; nobody, as
in background work, sees everything.
"""

import re
import unicodedata
from typing import Any

import phonenumbers

from crm.staff.models import User
from crm.staff.viewer import viewer

SEE = "crm.see_addresses"
DOTS = "•••"
_SHOWN = 3
_LONG_ENOUGH, _LONGEST = 7, 20  # digits of which the last three still hide who it is
_EMAIL_LIKE = re.compile(r"~?\S+@\S+\.\S+")
_TEL = re.compile(r"\W*tel\b", re.IGNORECASE)


def may_see_addresses(user: Any) -> bool:
    """Whether phones and e-mail addresses are shown to this user in full: by role, and where a token is used by its
    scopes.
    """
    return bool(user.has_perm(SEE)) and not getattr(user, "token_hides_addresses", False)


def hides(user: Any = None) -> bool:
    """Whether they are hidden from this user, or from who looks at the present request."""
    user = user if user is not None else viewer()
    return user is not None and not may_see_addresses(user)


def phone(value: str | None, user: User | None = None) -> str:
    """A number for this user: as it is, or "+34 ••• ••• 456"; "" for none."""
    return cover("phone", value) if value and hides(user) else value or ""


def account(value: str | None, user: User | None = None) -> str:
    """A WhatsApp id (a number without its plus sign) for this user."""
    return cover("phone", value).removeprefix("+") if value and hides(user) else value or ""


def email(value: str | None, user: User | None = None) -> str:
    """An address for this user: as it is, or "a•••@e•••.com"; "" for none."""
    return cover("email", value) if value and hides(user) else value or ""


def point(kind: str, value: str | None, user: User | None = None) -> str:
    """A phone or an e-mail address, by its kind."""
    return email(value, user) if kind == "email" else phone(value, user)


def name(value: str, user: User | None = None) -> str:
    """A name or username, which is as it is unless it is a number or an address."""
    return cover("name", value) if value and hides(user) else value


def cover(kind: str, value: str) -> str:
    """What a phone, an e-mail or a name looks like to who may not see it."""
    if kind == "name":
        plain = unicodedata.normalize("NFKC", value).strip()
        kind = "email" if _EMAIL_LIKE.fullmatch(plain) else "phone" if len(_number(plain)) >= _LONG_ENOUGH else ""
        value = plain if kind else value
    return _cover_email(value) if kind == "email" else _cover_phone(value) if kind else value


def _cover_phone(value: str) -> str:
    digits = _number(value)
    if not _LONG_ENOUGH <= len(digits) <= _LONGEST:
        return DOTS
    try:
        code = f"+{phonenumbers.parse(f'+{digits}').country_code} "
    except phonenumbers.NumberParseException:
        code = ""
    return f"{code}{DOTS} {DOTS} {digits[-_SHOWN:]}"


def _cover_email(value: str) -> str:
    local, at, domain = value.rpartition("@")
    if not at:
        return DOTS
    _host, dot, ending = domain.rpartition(".")
    return f"{local[:1]}{DOTS}@{domain[:1]}{DOTS}" + (f".{ending}" if dot else "")


def _number(value: str) -> str:
    """The digits of a text that is nothing but somebody's number, in whatever signs and script; "" if it says more."""
    text = unicodedata.normalize("NFKC", value)
    said = _TEL.match(text)
    text = text[said.end() :] if said else text
    if any(char.isalpha() for char in text):
        return ""
    return "".join(str(unicodedata.digit(char)) for char in text if char.isdigit())
