"""Segments in the API: made, previewed, frozen, filtered by; and what is refused."""

import pytest
from django.db import connection
from django.utils import translation

from crm.audit.models import AuditEntry
from crm.consent.models import Consent, ConsentEvent
from crm.contacts.models import CustomAttribute
from crm.foundation import clock, limited
from crm.segments import counting, saving
from crm.segments.models import Segment
from tests.api import Integrator
from tests.factories import ConversationFactory, InboxFactory, TagFactory, TeamFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


def ana(*more):
    return {"all": [{"field": "name", "op": "contains", "value": "ana"}, *more]}


@pytest.fixture
def integrator(db):
    return Integrator(UserFactory(integrator=True))


@pytest.fixture
def people(factories):
    return [factories.ContactFactory(name=name) for name in ("Ana", "Mariana", "Luis")]


def made(integrator, **body):
    answer = integrator.post("segments/", {"name": "Anas", "rule": ana()} | body)
    assert answer.status_code == 201, answer.json()
    return answer.json()


def test_a_segment_is_made_read_changed_and_deleted(integrator):
    one = made(integrator, name="  All   Anas ")
    assert (one["name"], one["is_static"], one["problems"]) == ("All Anas", False, {})
    assert one["sentence"] == "Contacts for whom: Name contains “ana”."
    address = f"segments/{one['id']}/"
    assert integrator.get(address).json() == one
    changed = integrator.patch(address, {"rule": {}, "description": "everybody"}).json()
    assert (changed["sentence"], changed["version"]) == ("All contacts.", 2)
    assert integrator.patch(address, {"name": "x", "version": 1}).status_code == 409
    assert [row["id"] for row in integrator.get("segments/").json()["results"]] == [one["id"]]
    assert integrator.delete(address).status_code == 204
    acts = AuditEntry.objects.filter(model="crm.segment").order_by("pk").values_list("action", flat=True)
    assert list(acts) == ["created", "changed", "deleted"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"), ({"name": "anas"}, "name"), ({"name": "x" * 101}, "name"),
        ({"rule": {"all": [{"field": "x"}]}}, "rule"), ({"rule": 5}, "rule"), ({"rule": []}, "rule"),
        ({"rule": {"all": [{"field": "name", "op": "is", "value": {"a": 1}}]}}, "rule"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_at_its_place(integrator, body, field):
    made(integrator)
    answer = integrator.post("segments/", {"name": "Another", "rule": ana()} | body)
    assert answer.status_code == 400
    assert field in answer.json()["fields"]
    assert Segment.objects.count() == 1


def test_errors_of_a_rule_come_by_row(integrator):
    rule = ana({"any": [{"field": "tags", "op": "any", "value": [77]}]}, {"field": "shoes"})
    fields = integrator.post("segments/preview/", {"rule": rule}).json()["fields"]["rule"]
    assert list(fields) == ["1.0", "2"]


def test_a_preview_counts_and_says_how_they_stand(integrator, people):
    at = clock.now()
    event = ConsentEvent.objects.create(
        contact=people[0], purpose="marketing", state="granted", source="form", at=at
    )  # fmt: skip
    Consent.objects.update_or_create(
        contact=people[0], channel="whatsapp", purpose="marketing",
        defaults={"state": "granted", "since": at, "event": event},
    )  # fmt: skip
    found = integrator.post("segments/preview/", {"rule": ana()}).json()
    assert (found["count"], found["is_exact"]) == (2, True)
    assert found["consent"] == {"granted": 1, "withdrawn": 0, "unknown": 1}
    assert found["splits"] == {"window_open": 0}
    assert [row["name"] for row in found["samples"]] == ["Mariana", "Ana"]
    assert not Segment.objects.exists()


def test_a_preview_names_nobody_to_a_token_that_reads_no_contacts(people):
    user = UserFactory(integrator=True)
    for scopes, names in (
        (("segments:write",), []), (("segments:read", "segments:write"), []),
        (("segments:write", "contacts:read"), ["Mariana", "Ana"]),
    ):  # fmt: skip
        found = Integrator(user, *scopes).post("segments/preview/", {"rule": ana()}).json()
        assert (found["count"], [row["name"] for row in found["samples"]]) == (2, names)


@pytest.mark.parametrize(
    "name", ["+34 600 111 222", "~\uff13\uff14\uff16\uff10\uff10\uff11\uff11\uff11", "ana@house.test"]
)
def test_a_masked_name_is_not_guessed_piece_by_piece(factories, name):
    someone = factories.ContactFactory(name=name)
    user = UserFactory(integrator=True)
    narrow, full = Integrator(user, "segments:write", "contacts:read"), Integrator(user)
    for op, text in (("starts", name[:4]), ("contains", name[4:6]), ("is", name), ("contains_not", name[4:6])):
        rule = {"all": [{"field": "name", "op": op, "value": text}]}
        found = [side.post("segments/preview/", {"rule": rule}).json()["count"] for side in (narrow, full)]
        assert found == ([1, 0] if op == "contains_not" else [0, 1]), (op, text)
    guess = made(full, rule={"all": [{"field": "name", "op": "starts", "value": name[:4]}]})
    assert narrow.get(f"segments/{guess['id']}/members/").json()["results"] == []
    assert narrow.get("contacts/", segment=guess["id"]).json()["results"] == []
    assert [row["id"] for row in full.get("contacts/", segment=guess["id"]).json()["results"]] == [someone.pk]
    plain = {"all": [{"field": "name", "op": "starts", "value": "Lu"}]}
    factories.ContactFactory(name="Luis 2")
    assert narrow.post("segments/preview/", {"rule": plain}).json()["count"] == 1


def test_members_and_the_filter_of_contacts_agree(integrator, people):
    one = made(integrator)
    members = integrator.get(f"segments/{one['id']}/members/").json()["results"]
    assert [row["name"] for row in members] == ["Mariana", "Ana"]
    assert integrator.get("contacts/", segment=one["id"]).json()["results"] == members
    assert integrator.get("contacts/", segment=999).json()["results"] == []
    assert integrator.get("contacts/", segment="x").status_code == 400


def test_members_come_by_pages(integrator, people):
    one = made(integrator, rule={})
    rows = integrator.pages(f"segments/{one['id']}/members/", page_size=2)
    assert [row["id"] for row in rows] == [person.pk for person in reversed(people)]


def test_a_frozen_copy_keeps_whom_it_had(integrator, people):
    one = made(integrator)
    answer = integrator.post(f"segments/{one['id']}/freeze/", {"name": "Anas of May"})
    assert answer.status_code == 201
    frozen = answer.json()
    assert frozen["is_static"]
    people[0].name = "Berta"
    people[0].save()
    names = {row["name"] for row in integrator.get(f"segments/{frozen['id']}/members/").json()["results"]}
    assert names == {"Berta", "Mariana"}
    assert len(integrator.get(f"segments/{one['id']}/members/").json()["results"]) == 1
    assert "rule" in integrator.patch(f"segments/{frozen['id']}/", {"rule": {}}).json()["fields"]
    assert "name" in integrator.post(f"segments/{one['id']}/freeze/", {"name": "anas"}).json()["fields"]
    inside = {"all": [{"field": "segment", "op": "any", "value": [frozen["id"]]}]}
    assert integrator.post("segments/preview/", {"rule": inside}).json()["count"] == 2


def test_what_takes_too_long_to_freeze_leaves_nothing_behind(monkeypatch, integrator, people):
    one = made(integrator)

    def over(seconds):
        raise limited.TookTooLong

    monkeypatch.setattr(saving, "at_most", over)
    answer = integrator.post(f"segments/{one['id']}/freeze/", {"name": "Now"})
    assert "takes too long" in answer.json()["detail"]
    assert Segment.objects.count() == 1


def test_a_rule_over_what_is_gone_is_a_sentence_and_never_a_failure(integrator, people):
    tag = TagFactory()
    one = made(integrator, rule={"any": [{"field": "tags", "op": "none", "value": [tag.pk]}]})
    tag.delete()
    shown = integrator.get(f"segments/{one['id']}/").json()
    assert (shown["sentence"], list(shown["problems"])) == ("", ["0"])
    for answer in (
        integrator.get("contacts/", segment=one["id"]), integrator.get(f"segments/{one['id']}/members/"),
        integrator.post(f"segments/{one['id']}/freeze/", {"name": "y"}),
    ):  # fmt: skip
        assert (answer.status_code, answer.json()["code"]) == (422, "broken_rule")
        assert list(answer.json()["problems"]) == ["0"]


def test_when_two_tags_become_one_the_rules_follow():
    old, new = TagFactory(), TagFactory()
    by = UserFactory(manager=True)
    row = {"field": "tags", "op": "any", "value": [old.pk, new.pk]}
    segment = saving.save(Segment(), by=by, name="S", rule={"any": [{"all": [row]}, {"field": "name", "op": "set"}]})
    assert saving.replace_value("tags", old.pk, new.pk) == 1
    before = segment.rule
    segment.refresh_from_db()
    assert segment.rule["any"][0]["all"][0]["value"] == [new.pk]
    entry = AuditEntry.objects.filter(model="crm.segment", object_id=str(segment.pk)).latest("pk")
    assert (entry.action, entry.changes) == ("changed", {"rule": [before, segment.rule]})


def test_an_agent_uses_segments_and_sees_only_their_own_contacts(people):
    team = TeamFactory()
    seen = ConversationFactory(inbox=InboxFactory(teams=[team]), identity__contact__name="Ana Mia").contact
    segment = Segment.objects.create(name="Anas", rule=ana())
    agent = Integrator(UserFactory(teams=[team]))
    assert [row["id"] for row in agent.get("contacts/", segment=segment.pk).json()["results"]] == [seen.pk]
    assert agent.post("segments/preview/", {"rule": {}}).status_code == 403
    assert agent.post("segments/", {"name": "x"}).status_code == 403


def test_the_fields_are_told_with_operators_and_choices(integrator):
    CustomAttribute.objects.create(key="plan", label="Plan", type="choice", choices=["A"])
    fields = {one["name"]: one for one in integrator.get("segments/fields/").json()}
    assert fields["attribute.plan"]["choices"] == [{"value": "A", "label": "A"}]
    assert {"op": "any", "label": "is one of", "value": "choices"} in fields["attribute.plan"]["operators"]


def test_a_count_that_takes_too_long_says_more_than(monkeypatch, people, manager):
    monkeypatch.setattr(counting, "MANY", 2)
    real, asked = limited.at_most, []

    def first_is_slow(seconds):
        asked.append(seconds)
        if len(asked) == 1:
            raise limited.TookTooLong
        return real(seconds)

    monkeypatch.setattr(counting, "at_most", first_is_slow)
    found = counting.preview({}, manager)
    with translation.override("en"):
        assert (found.total.number, found.total.is_exact, str(found.total)) == (2, False, "more than 2")
    assert not found.consent


def test_a_statement_is_ended_when_its_time_is_over(people):
    slow = (
        "SELECT pg_sleep(5)" if connection.vendor == "postgresql" else
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000000) SELECT count(*) FROM c"
    )  # fmt: skip
    with pytest.raises(limited.TookTooLong), limited.at_most(0.05), connection.cursor() as cursor:
        cursor.execute(slow)
    with limited.at_most(5):
        assert Segment.objects.count() == 0
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("30s",)
