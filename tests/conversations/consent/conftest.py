"""Graph at a real port, a number that speaks to it, and a customer who has just written."""

import importlib

import pytest

from crm.foundation import aio
from tests.graph_side import GraphSide


@pytest.fixture(scope="session")
def factories():
    """Imported late: conftest files may be read before Django has its settings."""
    yield importlib.import_module("tests.factories")
    aio.close()


@pytest.fixture
def graph():
    side = GraphSide().start()
    yield side
    side.stop()


@pytest.fixture
def team(db, factories):
    return factories.TeamFactory()


@pytest.fixture
def agent(team, factories):
    return factories.UserFactory(teams=[team])


@pytest.fixture
def inbox(graph, team, factories):
    account = factories.AccountFactory(graph_base_url=graph.url)
    return factories.InboxFactory(account=account, teams=[team], phone_number_id="555")


@pytest.fixture
def conversation(inbox, factories):
    return factories.ConversationFactory(inbox=inbox)
