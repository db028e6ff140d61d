"""What people write or press about marketing: heard with the message, in its transaction, and answered once."""

import datetime as dt
import uuid
from collections.abc import Sequence

from conversations.channels.base import Buttons, Text
from conversations.messaging import events, outbound
from conversations.messaging.errors import SendRefused
from conversations.messaging.models import Conversation, Message
from crm.consent import ledger, optout
from crm.consent.models import ConsentEvent, Purpose, State
from crm.consent.words import ASK, START, STOP
from crm.foundation import clock

KINDS = ("text", "button_reply")
STOP_BUTTON, KEEP_BUTTON = "consent.stop", "consent.keep"
BUTTONS = {STOP_BUTTON: STOP, KEEP_BUTTON: "keep"}
STATES = {STOP: State.WITHDRAWN, START: State.GRANTED}
# What comes later is heard, but no longer answered by itself.
FRESH = dt.timedelta(hours=1)
# One question a day.
ASKED_ONCE_IN = dt.timedelta(days=1)
_NAMES = uuid.UUID("8f2c5a4e-2f0b-4b0e-9d0a-6a0f8f0f6c11")


def hear(messages: Sequence[Message]) -> None:
    """Note and answer what new messages of people say of marketing, as a whole; call it in the transaction that stores
    them. Groups are nobody's word.
    """
    heard = [one for one in messages if one.kind in KINDS and not one.conversation.is_group]
    folded = {one.pk: optout.fold(one.text) for one in heard if optout.is_candidate(one.text)}
    own = optout.own_words(folded.values()) if folded else {}
    for message in heard:
        words = folded.get(message.pk, "")
        meaning = BUTTONS.get(_button(message)) or optout.meaning_of(words, message.conversation.contact.language, own)
        if meaning == ASK:
            _ask(message, words)
        elif meaning == START and _stands(message) != State.WITHDRAWN:
            continue  # "alta" of who has never left may be about anything
        elif meaning in STATES:
            _note(message, STATES[meaning], words)
        elif meaning:
            events.record(message.conversation, "consent_kept")


def _button(message: Message) -> str:
    key = message.payload.get("id") if message.kind == "button_reply" else None
    return key if isinstance(key, str) else ""


def _stands(message: Message) -> str:
    return ledger.state_of(message.conversation.contact, Purpose.MARKETING)


def _note(message: Message, state: State, words: str) -> None:
    conversation = message.conversation
    contact, is_button = conversation.contact, message.kind == "button_reply"
    before = _stands(message)
    ledger.record(
        contact,
        purpose=Purpose.MARKETING,
        state=state,
        source=ConsentEvent.Source.BUTTON if is_button else ConsentEvent.Source.KEYWORD,
        identity=conversation.identity,
        language=optout.language_of(contact.language),
        evidence={"message": message.pk, "text": message.text[: optout.LONGEST_TEXT]},
        at=message.sort_at,
    )
    if _stands(message) != state or before == state:
        return  # overtaken by something newer, or nothing new
    events.record(conversation, f"consent_{state}")
    answers = optout.answers_for(contact.language, words)
    _answer(message, Text(answers.stopped if state == State.WITHDRAWN else answers.started), keeps_waiting=False)


def _ask(message: Message, words: str) -> None:
    conversation = message.conversation
    if _stands(message) == State.WITHDRAWN:
        return
    since = clock.now() - ASKED_ONCE_IN
    if conversation.events.filter(kind="consent_asked", created_at__gte=since).exists():
        return
    answers = optout.answers_for(conversation.contact.language, words)
    buttons = ((STOP_BUTTON, answers.yes), (KEEP_BUTTON, answers.no))
    if _answer(message, Buttons(answers.question, buttons), keeps_waiting=True):
        events.record(conversation, "consent_asked")


def _answer(message: Message, content: Text | Buttons, *, keeps_waiting: bool) -> bool:
    """Answer once, inside the window, what is fresh. Whoever waited for the team before, or may mean something else,
    goes on waiting for it.
    """
    if clock.now() - message.sort_at > FRESH:
        return False
    conversation = message.conversation
    client_id = uuid.uuid5(_NAMES, f"{message.inbox_id} {message.external_id}")
    try:
        outbound.compose(conversation, by=None, content=content, origin=Message.Author.RULE, client_id=client_id)
    except SendRefused:
        return False
    waited = conversation.waiting_since
    if waited is not None and (keeps_waiting or waited < message.sort_at):
        Conversation.objects.filter(pk=conversation.pk).update(waiting_since=waited)
    return True
