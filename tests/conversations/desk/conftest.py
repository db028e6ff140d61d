"""An agent of one team, and a second team with an inbox of its own."""

import datetime as dt
import importlib
from types import SimpleNamespace

import pytest

from crm.foundation import aio, clock


@pytest.fixture(scope="session")
def factories():
    """Imported late: conftest files may be read before Django has its settings."""
    yield importlib.import_module("tests.factories")
    aio.close()


@pytest.fixture
def team(db, factories):
    return factories.TeamFactory()


@pytest.fixture
def inbox(team, factories):
    return factories.InboxFactory(teams=[team])


@pytest.fixture
def agent(team, factories):
    return factories.UserFactory(teams=[team])


@pytest.fixture
def conversation(inbox, factories):
    return factories.ConversationFactory(inbox=inbox)


@pytest.fixture
def theirs(db, factories):
    """A conversation of an inbox that is open to another team only."""
    return factories.ConversationFactory(inbox=factories.InboxFactory(teams=[factories.TeamFactory()]))


@pytest.fixture
def sign_in(client):
    def sign_in(user):
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def desk(sign_in, agent):
    """The signed-in agent's browser."""
    return sign_in(agent)


@pytest.fixture
def things(factories, agent):
    """What URLs speak of, for a conversation: itself, a failed message, a stored file, a message to be sent later, a
    file about the contact.
    """

    def of(conversation):
        models = importlib.import_module("conversations.messaging.models")
        files = importlib.import_module("django.core.files.base")
        message = factories.MessageFactory(conversation=conversation, outbound=True, status="failed")
        file = models.Attachment.objects.create(
            message=message, conversation=conversation, kind="image", state="stored", mime_type="image/png", size=3,
            file=files.ContentFile(b"png", "x"),
        )  # fmt: skip
        planned = models.ScheduledMessage.objects.create(
            conversation=conversation, text="Later", send_at=clock.now() + dt.timedelta(hours=2)
        )
        paper = importlib.import_module("crm.contacts.files").add(
            conversation.contact, files.ContentFile(b"A list of things", "a.txt"), by=agent
        )
        return SimpleNamespace(conversation=conversation, message=message, file=file, planned=planned, paper=paper)

    return of
