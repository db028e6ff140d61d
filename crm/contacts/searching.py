"""The search column of a contact: what everybody may look for, then numbers, addresses and ids."""

from collections.abc import Iterable
from typing import Any

from crm.contacts import masking
from crm.foundation.search import search_text

# Between the two in `search_text`. No query contains it.
PRIVATE = "\x1f"


def text_of(contact: Any, accounts: Iterable[Any], points: Iterable[str]) -> str:
    """The folded text of a contact with these accounts and present points; of each half as much as `search_text` keeps.
    A name that is masked like an address stands among the addresses.
    """
    said = [contact.name, contact.company, contact.external_id]
    said += [value for value in contact.attributes.values() if isinstance(value, str)]
    private = [contact.phone]
    for account in accounts:
        said += [account.profile_name, account.username]
        private += [account.wa_id, account.user_id]
    private += [*points, *(one for one in said if one and masking.cover("name", one) != one)]
    public = [one for one in dict.fromkeys(said) if one not in private]
    return f"{search_text(*public)}{PRIVATE}{search_text(*dict.fromkeys(private))}"
