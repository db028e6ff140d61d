"""Phones, e-mail addresses and accounts as a user may see them: in full, or with their middle hidden.

Whoever shows one to a user takes it through here. `user` left out is whoever looks at the present request; nobody, as
in background work, sees everything.
"""

import re
from typing import Any

import phonenumbers

from crm.contacts import phones
from crm.staff.models import User
from crm.staff.viewer import viewer

SEE = "crm.see_addresses"
DOTS = "•••"
_SHOWN = 3
_LONG_ENOUGH = 7  # digits of which the last three still hide who it is
_NUMBER_LIKE = re.compile(r"[+~@]?[\s0-9().\-/]{7,}")


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
    if not value or not hides(user):
        return value or ""
    digits = phones.digits_of(value)
    if len(digits) < _LONG_ENOUGH:
        return DOTS
    try:
        code = f"+{phonenumbers.parse(f'+{digits}').country_code} "
    except phonenumbers.NumberParseException:
        code = ""
    return f"{code}{DOTS} {DOTS} {digits[-_SHOWN:]}"


def account(value: str | None, user: User | None = None) -> str:
    """A WhatsApp id (a number without its plus sign) for this user."""
    shown = phone(value, user)
    return shown if shown == value else shown.removeprefix("+")


def email(value: str | None, user: User | None = None) -> str:
    """An address for this user: as it is, or "a•••@e•••.com"; "" for none."""
    if not value or not hides(user):
        return value or ""
    name, at, domain = value.rpartition("@")
    if not at:
        return DOTS
    _host, _dot, ending = domain.rpartition(".")
    return f"{name[:1]}{DOTS}@{domain[:1]}{DOTS}" + (f".{ending}" if _dot else "")


def point(kind: str, value: str | None, user: User | None = None) -> str:
    """A phone or an e-mail address, by its kind."""
    return email(value, user) if kind == "email" else phone(value, user)


def name(value: str, user: User | None = None) -> str:
    """A name or username, which is as it is unless it is a number or an address."""
    if not value or not hides(user):
        return value
    if is_number_like(value):
        return phone(value, user)
    return email(value, user) if re.fullmatch(r"~?\S+@\S+\.\S+", value) else value


def is_number_like(value: str) -> bool:
    """Whether a name is in truth somebody's number."""
    return _NUMBER_LIKE.fullmatch(value) is not None and sum(char.isdigit() for char in value) >= _LONG_ENOUGH
