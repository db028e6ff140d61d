"""Preferences, the palette, what a notification says, and the inbox as an app on a device."""

import datetime as dt
import json
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations.desk import shortcuts
from conversations.desk.models import SavedView
from conversations.desk.revision import module_urls
from conversations.desk.settings import DND_MOST, Preferences
from conversations.desk.views import settings as settings_views
from conversations.messaging.models import Conversation
from crm.contacts.models import Contact
from crm.foundation import clock
from crm.staff.models import User
from tests.factories import ConversationFactory, UserFactory

pytestmark = pytest.mark.django_db
SETTINGS, PALETTE = "/inbox/settings/", "/inbox/palette/"
HX = {"HX-Request": "true"}


def chosen(user):
    return Preferences.of(User.objects.get(pk=user.pk))


class TestPreferences:
    def test_without_any_the_inbox_is_as_at_the_beginning(self, agent):
        assert chosen(agent) == Preferences()

    @pytest.mark.parametrize(
        ("field", "value", "kept"),
        [
            ("density", "compact", "compact"), ("send_with", "ctrl_enter", "ctrl_enter"), ("read_on", "3s", "3s"),
            ("read_on", "reply", "reply"), ("notify", "all", "all"), ("notify", "off", "off"), ("sound", "", False),
            ("sound", "1", True), ("single_keys", "", False), ("hide_preview", "1", True),
        ],
    )  # fmt: skip
    def test_each_is_kept_alone_and_at_once(self, desk, agent, field, value, kept):
        before = chosen(agent).stored
        response = desk.post(SETTINGS, {field: value}, headers=HX)
        assert response.json()["values"] == before | {field: kept}
        assert chosen(agent).stored == before | {field: kept}
        page = desk.get("/inbox/").content.decode()
        config = json.loads(re.search(r'id="page-config" type="application/json">(.*?)</script>', page)[1])
        assert config["preferences"] == before | {field: kept}

    def test_language_theme_and_time_zone_go_with_them(self, desk, agent):
        desk.post(SETTINGS, {"language": "en", "theme": "dark", "time_zone": "America/Bogota"}, headers=HX)
        agent.refresh_from_db()
        assert (agent.language, agent.theme, agent.time_zone) == ("en", "dark", "America/Bogota")
        assert desk.cookies["django_language"].value == "en"

    @pytest.mark.parametrize("pause", ["30", "60", "240"])
    def test_do_not_disturb_lasts_as_long_as_was_chosen(self, desk, agent, pause):
        before = clock.now()
        desk.post(SETTINGS, {"dnd": pause}, headers=HX)
        lasts = chosen(agent).dnd_until - before
        assert abs(lasts - dt.timedelta(minutes=int(pause))) < dt.timedelta(seconds=5)
        desk.post(SETTINGS, {"dnd": ""}, headers=HX)
        assert chosen(agent).dnd_until is None

    @pytest.mark.parametrize("zone", ["America/Bogota", "Pacific/Auckland", "Europe/Madrid"])
    def test_until_tomorrow_is_eight_in_the_morning_where_the_agent_is(self, desk, agent, zone):
        User.objects.filter(pk=agent.pk).update(time_zone=zone)
        desk.post(SETTINGS, {"dnd": "tomorrow"}, headers=HX)
        local = chosen(agent).dnd_until.astimezone(settings_views.zoneinfo.ZoneInfo(zone))
        assert (local.hour, local.minute) == (8, 0)
        assert local.date() == clock.now().astimezone(local.tzinfo).date() + dt.timedelta(days=1)

    def test_a_whole_form_without_scripts_keeps_unticked_boxes_too(self, desk, agent):
        page = desk.get(SETTINGS).content.decode()
        assert "<html" in page
        assert 'name="whole"' in page
        response = desk.post(SETTINGS, {"whole": "1", "density": "compact", "next": "//evil.test"})
        assert (response.status_code, response["Location"]) == (302, "/inbox/")
        assert chosen(agent) == Preferences(density="compact", single_keys=False, sound=False)

    @pytest.mark.parametrize(
        "form",
        [
            {"density": "tiny"}, {"send_with": ""}, {"read_on": "never"}, {"notify": "\x00"}, {"dnd": "-5"},
            {"dnd": "9" * 400}, {"time_zone": "Mars/Base"}, {"time_zone": "../../etc/passwd"}, {"time_zone": ""},
            {"language": "xx"}, {"theme": "neon"}, {"theme": "dark", "density": "<b>"},
        ],
    )  # fmt: skip
    def test_what_is_not_offered_changes_nothing_and_is_said(self, desk, agent, form):
        before = list(User.objects.filter(pk=agent.pk).values())
        response = desk.post(SETTINGS, form, headers=HX)
        assert (response.status_code, response["X-Error"]) == (400, "bad_request")
        assert "data-error" in response.content.decode()
        assert list(User.objects.filter(pk=agent.pk).values()) == before

    @pytest.mark.parametrize(
        "kept",
        [
            None, [], "x", {"density": 5, "sound": "yes", "dnd_until": "soon"}, {"dnd_until": 7}, {"notify": None},
            {"dnd_until": "2020-01-01T00:00:00+00:00"}, {"dnd_until": "2999-01-01T00:00:00+00:00"},
            {"dnd_until": "2026-01-01T00:00:00"}, {"unknown": {"a": 1}, "single_keys": 0},
        ],
    )  # fmt: skip
    def test_whatever_the_database_holds_the_page_opens(self, desk, agent, kept):
        assert Preferences().changed(kept if isinstance(kept, dict) else {}) == Preferences()
        if kept is not None:
            User.objects.filter(pk=agent.pk).update(preferences=kept)
        assert desk.get("/inbox/").status_code == 200
        assert desk.get(SETTINGS).status_code == 200

    def test_a_pause_ends_after_a_week_at_the_latest(self):
        now = clock.now()
        inside, beyond = now + DND_MOST - dt.timedelta(minutes=1), now + DND_MOST + dt.timedelta(minutes=1)
        assert Preferences().changed({"dnd_until": inside.isoformat()}).dnd_until == inside
        assert Preferences().changed({"dnd_until": beyond.isoformat()}).dnd_until is None

    def test_only_managers_are_offered_the_view_of_others(self, desk, sign_in):
        assert 'name="user"' not in desk.get(SETTINGS).content.decode()
        assert 'name="user"' in sign_in(UserFactory(manager=True)).get(SETTINGS).content.decode()

    @pytest.mark.parametrize("language", ["es", "en"])
    def test_the_form_names_every_preference(self, desk, agent, language):
        User.objects.filter(pk=agent.pk).update(language=language)
        html = desk.get(SETTINGS, headers=HX).content.decode()
        offered = set(re.findall(r'name="(\w+)"', html))
        assert offered >= {*Preferences().stored, "time_zone", "dnd"} - {"dnd_until"}


def options(response):
    return re.findall(r'data-(?:run|path)="([^"]+)"', response.content.decode())


class TestPalette:
    def test_it_offers_what_the_open_conversation_allows(self, desk, conversation):
        assert "resolve|reopen" not in options(desk.get(PALETTE))
        offered = options(desk.get(PALETTE, {"c": conversation.pk}))
        assert {"resolve|reopen", "reply-tab", "snooze", "do:go:view=mine", "do:settings"} <= set(offered)

    @pytest.mark.parametrize(
        ("words", "run"), [("resol", "resolve|reopen"), ("PRIVATE no", "note-tab"), ("note private", "note-tab")]
    )
    def test_a_few_letters_of_any_word_find_an_action(self, desk, agent, conversation, words, run):
        User.objects.filter(pk=agent.pk).update(language="en")
        assert run in options(desk.get(PALETTE, {"q": words, "c": conversation.pk}))

    def test_it_finds_conversations_by_name_and_number_and_only_ones_own(self, desk, inbox, theirs):
        mine = ConversationFactory(inbox=inbox)
        Contact.objects.filter(pk=mine.contact_id).update(name="José Muñoz", search_text="jose munoz")
        assert reverse("desk:conversation", args=[mine.pk]) in options(desk.get(PALETTE, {"q": "jose mun"}))
        found = desk.get(PALETTE, {"q": theirs.contact.name})
        assert reverse("desk:conversation", args=[theirs.pk]) not in options(found)
        assert theirs.contact.name not in found.content.decode()

    def test_saved_views_are_found_by_name(self, desk, agent):
        SavedView.objects.create(owner=agent, name="Atención de hoy", query="view=all&priority=4")
        SavedView.objects.create(owner=UserFactory(), name="Atención ajena", query="view=mine")
        response = desk.get(PALETTE, {"q": "ATENCION"})
        assert "do:go:view=all&amp;priority=4" in options(response)
        assert "ajena" not in response.content.decode()

    def test_managers_find_people_to_look_as(self, desk, sign_in, agent):
        assert not [one for one in options(desk.get(PALETTE, {"q": agent.name})) if one.startswith("do:viewAs")]
        manager = sign_in(UserFactory(manager=True))
        assert f"do:viewAs:{agent.pk}" in options(manager.get(PALETTE, {"q": agent.name}))

    @pytest.mark.parametrize("text", ["\x00", "%", "_", "\\", "'; drop", "<script>", "ñ" * 3000, "٣", " ", "\ud800"])
    def test_nothing_that_is_typed_breaks_it(self, desk, text):
        response = desk.get(PALETTE, {"q": text.encode("utf-8", "replace"), "c": "x" if text == "%" else ""})
        assert response.status_code in (200, 400)
        assert "<script>" not in response.content.decode()

    def test_it_costs_few_queries_however_much_there_is(self, desk, inbox, conversation):
        for _ in range(12):
            ConversationFactory(inbox=inbox)
        desk.get(PALETTE, {"q": "e"})
        with CaptureQueriesContext(connection) as queries:
            desk.get(PALETTE, {"q": "e", "c": conversation.pk})
        assert len(queries) <= 6

    def test_every_key_is_there_once_and_none_uses_alt(self):
        names = [item.name for section in shortcuts.sections() for item in section.shortcuts if item.name]
        assert len(names) == len(set(names))
        assert not any("alt" in item.keys.lower() for section in shortcuts.sections() for item in section.shortcuts)


class TestAlerts:
    def test_it_says_who_wrote_to_which_number_and_what(self, desk, conversation):
        Conversation.objects.filter(pk=conversation.pk).update(
            last_direction="in", last_kind="text", last_preview="¿Tienen talla M?"
        )
        told = desk.get(reverse("desk:alert", args=[conversation.pk])).json()
        assert told["title"] == f"{conversation.contact.title} · {conversation.inbox.name}"
        assert told["body"] == "¿Tienen talla M?"
        assert told["url"] == reverse("desk:conversation", args=[conversation.pk])

    def test_it_keeps_the_words_to_itself_if_the_agent_wants_that(self, desk, agent, conversation):
        Conversation.objects.filter(pk=conversation.pk).update(last_direction="in", last_preview="secreto")
        User.objects.filter(pk=agent.pk).update(preferences={"hide_preview": True})
        assert "secreto" not in desk.get(reverse("desk:alert", args=[conversation.pk])).content.decode()

    def test_a_mention_is_named_as_such(self, desk, conversation):
        url = reverse("desk:alert", args=[conversation.pk])
        assert desk.get(url + "?mention").json()["body"] != desk.get(url).json()["body"]


class TestOnADevice:
    def test_the_manifest_is_one_that_browsers_install(self, client):
        response = client.get("/manifest.webmanifest")
        assert response["Content-Type"] == "application/manifest+json"
        manifest = response.json()
        assert (manifest["display"], manifest["start_url"], manifest["scope"]) == ("standalone", "/inbox/", "/")
        assert {"192x192", "512x512"} <= {icon["sizes"] for icon in manifest["icons"]}
        assert "maskable" in {icon["purpose"] for icon in manifest["icons"]}

    def test_the_icons_have_the_sizes_they_claim(self, settings):
        for name, size in (("icon-192", 192), ("icon-512", 512), ("icon-maskable", 512), ("icon-apple", 180)):
            head = (settings.BASE_DIR / f"static/inbox/{name}.png").read_bytes()[:24]
            assert head[:8] == b"\x89PNG\r\n\x1a\n"
            assert (int.from_bytes(head[16:20]), int.from_bytes(head[20:24])) == (size, size)

    def test_the_worker_stands_at_the_root_and_caches_nothing(self, client):
        response = client.get("/sw.js")
        assert response["Content-Type"].startswith("text/javascript")
        script = response.content.decode()
        assert '"fetch"' not in script
        assert "caches" not in script

    def test_the_page_knows_where_every_lazy_script_is(self, desk):
        page = desk.get("/inbox/").content.decode()
        config = json.loads(re.search(r'id="page-config" type="application/json">(.*?)</script>', page)[1])
        assert config["modules"] == module_urls()
        assert {"keys", "palette", "settings", "presence", "notify", "layout"} <= set(config["modules"])


def test_another_tab_hears_what_was_chosen(desk, agent, monkeypatch):
    told = []
    monkeypatch.setattr(settings_views.publish, "publish", told.extend)
    desk.post(SETTINGS, {"density": "compact"}, headers=HX)
    ((groups, frame),) = told
    assert groups == [f"seat.{agent.pk}"]
    assert frame["t"] == "preferences"
    assert frame["values"]["density"] == "compact"
