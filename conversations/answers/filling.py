"""The variables of canned answers: `{{contact.name}}` and the like, filled in for one conversation and one agent."""

import re

from conversations.messaging.models import Conversation
from crm.contacts import attributes, masking
from crm.staff.models import User

VARIABLE = re.compile(r"\{\{\s*([a-z]+\.[\w-]{1,50})\s*\}\}")
NAMES = (
    "contact.name",
    "contact.first_name",
    "contact.phone",
    "contact.company",
    "agent.name",
    "agent.first_name",
    "inbox.name",
)


def filled(body: str, conversation: Conversation, agent: User) -> str:
    """The text with every variable that has a value; the others stay as they are, for the agent to see to."""
    known = values(conversation, agent)
    return VARIABLE.sub(lambda found: known.get(found[1]) or found[0], body)


def values(conversation: Conversation, agent: User) -> dict[str, str]:
    """What each variable says here; custom attributes as `contact.<key>`, the fixed names first."""
    contact = conversation.contact
    named = {f"contact.{key}": attributes.shown(value) for key, value in contact.attributes.items()}
    return named | {
        "contact.name": contact.name,
        "contact.first_name": _first(contact.name),
        "contact.phone": "" if masking.hides(agent) else contact.phone or "",
        "contact.company": contact.company,
        "agent.name": agent.name,
        "agent.first_name": _first(agent.name),
        "inbox.name": conversation.inbox.name,
    }


def _first(name: str) -> str:
    return name.split()[0] if name.split() else ""
