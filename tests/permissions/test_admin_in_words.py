"""Every page of a row in the administration is in the reader's language, its title included."""

import html
import re

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Group
from django.utils import translation

from conversations.desk.models import SavedView
from conversations.messaging.models import ParkedUpdate, SendFence
from conversations.notices.models import Notice
from tests.factories import MessageFactory
from tests.permissions.routes import routes
from tests.permissions.table import PAGES
from tests.permissions.world import World

pytestmark = pytest.mark.django_db

# What Python shows of a tuple or a list of words instead of the words.
RAW = re.compile(r"""[(\[]['"]\w[^<>]*['"][)\]]""")


@pytest.fixture
def world():
    world = World()
    note = MessageFactory(conversation=world.conversation, direction="note", external_id=None)
    Notice.objects.create(user=world.users["agent"], conversation=world.conversation, message=note)
    ParkedUpdate.objects.create(inbox=world.inbox, external_id="wamid.1", kind="status", payload={"status": "read"})
    SendFence.objects.create(reason="manual")
    SavedView.objects.create(name="Late", team=world.team)
    world.users["manager"].language = "es"
    world.users["manager"].save()
    return world


def titles(page):
    """What the browser's tab, the trail and the headings say."""
    found = re.findall(r"<(title|h1|h2|nav|ol)\b[^>]*>(.*?)</\1>", page, re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)) for _tag, text in found)


def test_titles_of_rows_are_translated_and_values_are_words(world):
    client, seen, wrong = world.browser("manager"), set(), []
    models = {model._meta.label_lower.replace(".", "_"): model for model in site._registry}
    for route in routes():
        if not route.page or route.page[1] not in ("change", "history") or not PAGES[route.page[0]]:
            continue
        response = client.get(route.address(**world.arguments(route)))
        if response.status_code != 200:
            continue
        seen.add(route.page[0])
        model = models[route.page[0]]
        if model is Group:  # below
            continue
        row = model._base_manager.get(pk=world.arguments(route)["object_id"])
        with translation.override("en"):
            english = str(row)
        with translation.override("es"):
            spanish = str(row)
        page, heads = response.content.decode(), titles(response.content.decode()).casefold()
        if spanish.casefold() not in heads or (english != spanish and english.casefold() in heads):
            wrong.append((route.name, english, spanish))
        text = html.unescape(re.sub(r"(?s)<(script|pre)\b.*?</\1>|<[^>]+>", "|", page))
        wrong += [(route.name, one) for one in RAW.findall(text)]
    assert wrong == []
    assert {name for name, pages in PAGES.items() if "view" in pages or "change" in pages} <= seen


def test_a_role_is_called_as_users_have_it(world):
    group = Group.objects.get(name="integrator")
    page = world.browser("manager").get(f"/admin/auth/group/{group.pk}/change/").content.decode()
    assert "Integrador" in titles(page)
    assert "integrator" not in titles(page)
    assert "conversaciones: " in page, "what it may is still there"
