"""What holds at every address of the API: limits, repeatable POSTs, conditional writes, problems, scopes, tokens."""

import datetime as dt
import re
import threading

import pytest
from django.core.cache import caches
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from config import api_urls
from conversations.messaging.models import Message
from crm.audit import log
from crm.audit.models import AuditEntry
from crm.contacts.describing_api import TagViewSet
from crm.contacts.models import Contact, Tag
from crm.foundation import clock, throttle
from crm.staff import tokens
from crm.staff.models import ApiToken, StoredAnswer
from tests.api import Integrator
from tests.factories import ContactFactory, ConversationFactory, TagFactory, TeamFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager():
    return UserFactory(manager=True)


@pytest.fixture
def api(manager):
    return Integrator(manager)


def keyed(api, path, body, key="k-1"):
    return api.client.post(f"/api/v1/{path}", body, "application/json", headers={"Idempotency-Key": key})


class TestRepeating:
    def test_the_same_request_again_gets_the_same_answer_and_is_done_once(self, api):
        first = keyed(api, "contacts/", {"name": "Ana"})
        second = keyed(api, "contacts/", {"name": "Ana"})
        assert (first.status_code, second.status_code) == (201, 201)
        assert second.json() == first.json()
        assert "Idempotency-Replayed" not in first.headers
        assert second.headers["Idempotency-Replayed"] == "true"
        assert Contact.objects.count() == 1

    def test_another_body_or_address_with_the_key_is_refused(self, api):
        keyed(api, "contacts/", {"name": "Ana"})
        for path, body in (("contacts/", {"name": "Eva"}), ("tags/", {"name": "Ana"})):
            answer = keyed(api, path, body)
            assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert (Contact.objects.count(), Tag.objects.count()) == (1, 0)

    def test_how_a_body_is_written_makes_no_other_request(self, api):
        keyed(api, "contacts/", '{"name": "Ana", "phone": "+34600123456"}')
        again = keyed(api, "contacts/", '{"phone":"+34600123456","name":"\\u0041na"}')
        assert again.headers["Idempotency-Replayed"] == "true"

    def test_a_refused_request_may_be_repeated_with_its_key(self, api):
        assert keyed(api, "tags/", {"name": ""}).status_code == 400
        assert not StoredAnswer.objects.exists()
        assert keyed(api, "tags/", {"name": "vip"}).status_code == 201

    def test_what_a_refused_request_had_begun_is_undone(self, api):
        row = ConversationFactory()
        answer = keyed(api, f"conversations/{row.pk}/tags/", {"add": ["new"], "remove": ["unknown"]})
        assert answer.status_code == 400
        assert not Tag.objects.exists()

    def test_keys_belong_to_their_token_and_last_a_day(self, api, manager):
        keyed(api, "contacts/", {"name": "Ana"})
        assert keyed(Integrator(manager), "contacts/", {"name": "Eva"}).status_code == 201
        StoredAnswer.objects.update(created_at=clock.real() - dt.timedelta(hours=25))
        assert keyed(api, "contacts/", {"name": "Luz"}).status_code == 201

    @pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\tb"])
    def test_a_key_that_is_none_is_refused(self, api, key):
        answer = keyed(api, "contacts/", {"name": "Ana"}, key)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")

    def test_a_message_and_a_file_are_sent_once(self, api):
        row = ConversationFactory()
        for _time in range(2):
            assert keyed(api, f"conversations/{row.pk}/messages/", {"text": "Hello"}, "m").status_code == 201
        assert Message.objects.count() == 1
        ids = set()
        for content in (b"one", b"one", b"two"):
            file = SimpleUploadedFile("a.txt", content, "text/plain")
            address = f"/api/v1/conversations/{row.pk}/uploads/"
            answer = api.client.post(address, {"file": file}, headers={"Idempotency-Key": "f"})
            ids.add((answer.status_code, answer.json().get("id")))
        assert sorted(status for status, _id in ids) == [201, 422]


@pytest.mark.sqlite_too
@pytest.mark.django_db(transaction=True)
def test_the_same_request_many_times_at_once_is_done_once():
    api = Integrator(UserFactory(manager=True))
    answers = []

    def ask():
        answers.append(keyed(api, "contacts/", {"name": "Ana"}))
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Contact.objects.count() == 1


class TestConditions:
    @pytest.mark.parametrize("kind", ["contacts", "tags"])
    def test_a_write_meant_for_another_state_is_refused(self, api, kind):
        thing = ContactFactory() if kind == "contacts" else TagFactory()
        path = f"/api/v1/{kind}/{thing.pk}/"
        etag = api.client.get(path).headers["ETag"]
        done = api.client.patch(path, {"name": "B"}, "application/json", headers={"If-Match": etag})
        assert done.status_code == 200
        assert done.headers["ETag"] != etag
        late = api.client.patch(path, {"name": "C"}, "application/json", headers={"If-Match": etag})
        assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
        thing.refresh_from_db()
        assert thing.name == "B"
        fresh = {"If-Match": f'"other", {done.headers["ETag"]}'}
        assert api.client.patch(path, {"name": "D"}, "application/json", headers=fresh).status_code == 200

    def test_deleting_and_acting_can_be_conditional_too(self, api):
        tag, row = TagFactory(), ConversationFactory()
        stale = {"If-Match": '"of-before"'}
        assert api.client.delete(f"/api/v1/tags/{tag.pk}/", headers=stale).status_code == 412
        assert Tag.objects.exists()
        path = f"/api/v1/conversations/{row.pk}/"
        assert api.client.post(f"{path}resolve/", {}, "application/json", headers=stale).status_code == 412
        fresh = {"If-Match": api.client.get(path).headers["ETag"]}
        assert api.client.post(f"{path}resolve/", {}, "application/json", headers=fresh).status_code == 200

    def test_who_has_the_newest_state_is_told_so(self, api):
        path = f"/api/v1/tags/{TagFactory().pk}/"
        etag = api.client.get(path).headers["ETag"]
        answer = api.client.get(path, headers={"If-None-Match": etag})
        assert (answer.status_code, answer.content) == (304, b"")
        assert api.client.get(path, headers={"If-None-Match": '"x"'}).status_code == 200

    def test_a_condition_opens_nothing(self, manager):
        theirs = ConversationFactory()
        stranger = Integrator(UserFactory(teams=[TeamFactory()]))
        path = f"/api/v1/conversations/{theirs.pk}/resolve/"
        assert stranger.client.post(path, {}, "application/json", headers={"If-Match": "*"}).status_code == 404


class TestLimits:
    @pytest.fixture(autouse=True)
    def low(self, settings):
        settings.API_PER_TOKEN, settings.API_PER_ADDRESS = 3, 8
        for name in ("counters", "own_counters"):
            caches[name].clear()

    @pytest.mark.covers("P19")
    def test_p19_a_token_that_comes_too_often_waits(self, manager):
        api = Integrator(manager)
        answers = [api.get("tags/") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[-1].json()["code"] == "too_often"
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
        assert Integrator(manager).get("tags/").status_code == 200

    @pytest.mark.covers("P19")
    def test_p19_an_address_waits_whatever_its_tokens(self):
        client = Client(headers={"Authorization": "Bearer vt_wrong"})
        found = [client.get("/api/v1/tags/").status_code for _ in range(10)]
        assert found == [401] * 8 + [429] * 2
        assert Client(REMOTE_ADDR="10.0.0.9").get("/api/v1/tags/").status_code == 401

    def test_without_the_shared_counters_each_process_counts_for_itself(self, manager, monkeypatch):
        class Gone:
            def add(self, *args, **kwargs):
                raise ConnectionError

        monkeypatch.setattr(throttle, "caches", {"counters": Gone(), "own_counters": caches["own_counters"]})
        monkeypatch.setattr(throttle, "_shared_again_at", 0.0)
        api = Integrator(manager)
        assert [api.get("tags/").status_code for _ in range(4)] == [200, 200, 200, 429]


class TestTokens:
    @pytest.mark.covers("P15")
    def test_p15_a_narrow_scope_opens_one_resource_one_way(self, manager):
        api = Integrator(manager, "contacts:read", "tags:write")
        assert api.get("contacts/").status_code == 200
        assert api.post("tags/", {"name": "vip"}).status_code == 201
        refused = api.post("contacts/", {"name": "Ana"})
        assert refused.status_code == 403
        assert "contacts:write" in refused.json()["detail"]
        assert api.get("tags/").status_code == 403

    @pytest.mark.covers("P15")
    def test_p15_a_revoked_token_opens_nothing_at_once_and_its_use_is_noted(self, api):
        assert api.get("tags/").status_code == 200
        token = ApiToken.objects.get()
        assert token.last_used_at is not None
        ApiToken.objects.update(revoked_at=clock.real())
        assert api.get("tags/").status_code == 401

    @pytest.mark.covers("P15")
    def test_p15_a_token_in_the_address_is_not_looked_at(self, manager):
        text = tokens.issue(manager, ["read"])
        assert Client().get(f"/api/v1/tags/?token={text}&access_token={text}").status_code == 401

    def test_what_a_token_does_is_recorded_as_its(self, api, manager, monkeypatch):
        monkeypatch.setattr(TagViewSet, "perform_create", lambda self, form: log.record("made", form.save()))
        api.client.post("/api/v1/tags/", {"name": "vip"}, "application/json", REMOTE_ADDR="10.0.0.7")
        entry = AuditEntry.objects.get(action="made")
        assert (entry.source, entry.user, entry.ip) == ("api", manager, "10.0.0.7")
        assert entry.token_prefix == ApiToken.objects.get().prefix


class TestAnswers:
    def test_a_refusal_is_a_problem(self, api):
        answer = api.get("contacts/999/")
        assert answer.headers["Content-Type"] == "application/problem+json"
        body = answer.json()
        assert body.pop("detail")
        assert body == {"type": "about:blank", "title": "Not Found", "status": 404, "code": "not_found"}

    def test_our_own_mistakes_are_problems_too(self, api, monkeypatch):
        api.client.raise_request_exception = False
        monkeypatch.setattr(TagViewSet, "get_queryset", lambda self: 1 / 0)
        answer = api.get("tags/")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal")

    @pytest.mark.covers("P16", "P17")
    def test_p16_p17_no_cache_and_no_other_site_gets_an_answer(self, api):
        for path in ("tags/", "contacts/999/"):
            answer = api.client.get(f"/api/v1/{path}", headers={"Origin": "https://evil.test"})
            assert answer.headers["Cache-Control"] == "no-store"
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]

    @pytest.mark.covers("P10")
    @pytest.mark.parametrize("query", ["ordering=token", "password__startswith=a", "user__password=x", "order_by=-id"])
    def test_p10_hidden_fields_neither_filter_nor_order(self, api, query):
        TagFactory.create_batch(3)
        UserFactory()
        for path in ("tags/", "users/", "contacts/"):
            assert api.client.get(f"/api/v1/{path}?{query}").json() == api.get(path).json()

    @pytest.mark.covers("P13")
    def test_p13_a_page_is_never_larger_than_its_limit(self, api):
        TagFactory.create_batch(210)
        assert len(api.get("tags/", page_size=5000).json()["results"]) == 200


class TestDocumentation:
    @pytest.mark.covers("I10")
    def test_the_page_loads_only_our_own_files_and_runs_nothing_inline(self, client):
        answer = client.get("/api/v1/docs/")
        html = answer.content.decode()
        assert 'data-schema="/api/v1/schema/"' in html
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert "//" not in html.replace("<!doctype html>", "")
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", html)

    def test_the_schema_is_made_once_per_format(self, client):
        def made_by(query):
            before = api_urls._schema.cache_info().misses
            assert b"/api/v1/contacts/" in client.get(f"/api/v1/schema/{query}").content
            return api_urls._schema.cache_info().misses - before

        api_urls._schema.cache_clear()
        assert [made_by(""), made_by("?format=json")] == [1, 1]
        assert [made_by(""), made_by("?format=json&lang=zz&version=%0a9")] == [0, 0]

    def test_the_schema_is_for_everybody_and_names_every_operations_scope_and_refusals(self, client):
        schema = client.get("/api/v1/schema/?format=json").json()
        for path, methods in schema["paths"].items():
            for method, operation in methods.items():
                if path != "/api/v1/schema/":
                    assert "Scope: `" in operation["description"], (path, method)
                    assert {"401", "403", "429", "503"} <= operation["responses"].keys(), (path, method)


class TestStaff:
    def test_who_and_which_team_a_conversation_can_be_given_to(self, api, manager):
        team = TeamFactory(name="Sales")
        agent = UserFactory(name="Ana", teams=[team])
        assert api.get(f"users/{agent.pk}/").json() == {
            "id": agent.pk, "name": "Ana", "role": "agent", "is_active": True, "teams": [team.pk],
        }  # fmt: skip
        assert api.get("teams/").json()["results"] == [{"id": team.pk, "name": "Sales"}]

    def test_agents_make_no_tags_by_putting_them_on_a_contact(self):
        team = TeamFactory()
        row = ConversationFactory()
        row.inbox.teams.add(team)
        TagFactory(name="Known")
        agent = Integrator(UserFactory(teams=[team]))
        assert agent.patch(f"contacts/{row.contact_id}/", {"tags": ["known"]}).status_code == 200
        assert agent.patch(f"contacts/{row.contact_id}/", {"tags": ["new"]}).json()["code"] == "invalid"
        assert Tag.objects.count() == 1
