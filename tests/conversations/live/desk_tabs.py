"""People with a browser tab: fixtures of the tests of sockets."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test import Client

from config.asgi import application
from tests.conversations.live.tabs import Tab
from tests.factories import InboxFactory, TeamFactory, UserFactory


@pytest.fixture
def team(transactional_db):
    return TeamFactory()


@pytest.fixture
def inbox(team):
    return InboxFactory(teams=[team])


@pytest.fixture
def agent(team, inbox):
    return UserFactory(teams=[team])


def cookie_of(user, viewing_as=None):
    client = Client()
    client.force_login(user)
    if viewing_as is not None:
        session = client.session
        session["viewing_as"] = str(viewing_as.pk)
        session.save()
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def tab(cookie="", *, origin="http://testserver", host="testserver", subprotocols=None):
    headers = [(b"host", host.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    if cookie:
        headers.append((b"cookie", cookie.encode()))
    return Tab(application, "/ws/inbox/", headers, subprotocols)


@pytest.fixture
async def signed_in():
    """Opens tabs, and closes them at the end."""
    tabs = []

    async def open_tab(user, *, viewing_as=None, **options):
        opened = tab(await sync_to_async(cookie_of)(user, viewing_as), **options)
        tabs.append(opened)
        assert (await opened.connect())[0]
        return opened

    yield open_tab
    for opened in tabs:
        await opened.disconnect()


async def settle(registry, count=1):
    """Wait until so many tabs are entered."""
    async with asyncio.timeout(5):
        while len(registry.sockets) != count:  # noqa: ASYNC110 (what is waited for sets no event)
            await asyncio.sleep(0.01)
