"""Segments in the administration: the builder's rows and count, saving, freezing, the filter of contacts."""

import json
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.contacts.models import Contact, CustomAttribute
from crm.segments import saving
from crm.segments.models import Segment
from tests.factories import ContactFactory, TagFactory, UserFactory

pytestmark = pytest.mark.django_db
LIST = "/admin/crm/segment/"
ANA = {"all": [{"field": "name", "op": "contains", "value": "ana"}]}


def save(admin, address=f"{LIST}add/", **values):
    values["rule"] = json.dumps(values.get("rule", ANA))
    return admin.post(address, {"name": "Anas", "description": ""} | values)


def count(admin, rule):
    return admin.post(f"{LIST}count/", {"rule": json.dumps(rule)})


def total(answer):
    return int(re.search(r'data-number="(\d+)"', answer.content.decode())[1])


def test_a_segment_is_built_saved_and_changed(admin, manager):
    assert save(admin).status_code == 302
    segment = Segment.objects.get()
    assert (segment.name, segment.rule, segment.created_by) == ("Anas", ANA, manager)
    page = admin.get(f"{LIST}{segment.pk}/change/")
    assert 'data-testid="freeze"' in page.content.decode()
    assert 'value="ana"' in page.content.decode()
    seen = page.context["adminform"].form.seen
    rule = {"any": [*ANA["all"], {"all": [{"field": "kind", "op": "any", "value": ["employee"]}]}]}
    assert save(admin, f"{LIST}{segment.pk}/change/", rule=rule, _seen=seen).status_code == 302
    segment.refresh_from_db()
    assert (segment.rule, segment.version) == (rule, 2)


def test_two_who_change_one_rule_are_told_in_words(admin):
    save(admin)
    address = f"{LIST}{Segment.objects.get().pk}/change/"
    seen = admin.get(address).context["adminform"].form.seen
    assert save(admin, address, rule={}, _seen=seen).status_code == 302
    late = save(admin, address, rule={"all": [{"field": "name", "op": "set"}]}, _seen=seen)
    assert late.status_code == 409
    assert "All contacts." in late.content.decode()
    assert "Name has a value" in late.content.decode()


@pytest.mark.parametrize(
    "rule",
    [
        {"all": [{"field": "name", "op": "is", "value": ""}]}, {"all": [{"field": ""}]}, {"all": [{"any": []}]},
        {"all": [{"field": "attribute.gone", "op": "is", "value": "x"}]},
        {"all": [*ANA["all"], {"any": [{"field": "created", "op": "past", "value": "soon"}]}]},
    ],
)  # fmt: skip
def test_a_broken_rule_marks_its_row_and_keeps_the_rest(admin, rule):
    answer = save(admin, rule=rule)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert page.count('class="wc-problem" role="alert">') == 1
    assert not Segment.objects.exists()


@pytest.mark.parametrize("text", ["", "[", "5", "null", '{"all": 5}', "[" * 5000, '{"all": [[[[]]]]}', "\x00"])
def test_whatever_is_sent_as_a_rule_is_answered(admin, text):
    for answer in (
        admin.post(f"{LIST}count/", {"rule": text}),
        admin.post(f"{LIST}add/", {"name": "x", "description": "", "rule": text}),
    ):
        assert answer.status_code in (200, 302)
    assert all(segment.rule == {"all": []} for segment in Segment.objects.all())
    assert Segment.objects.exists() == (text in ("", "null"))


def rows_of(page):
    return page.content.decode().split("<template")[0].count(" data-row ")


def test_a_segment_whose_rule_broke_is_opened_with_marks_and_loses_nothing(admin):
    tag, other = TagFactory(), TagFactory()
    attribute = CustomAttribute.objects.create(key="plan", label="Plan")
    rule = {"any": [
        {"field": "tags", "op": "none", "value": [tag.pk, other.pk]}, {"field": "name", "op": "set"},
        {"all": [{"field": "attribute.plan", "op": "contains", "value": "x"}]},
        {"field": "attribute.gone", "op": "is", "value": "x"},
    ]}  # fmt: skip
    segment = Segment.objects.create(name="Broken", rule=rule)
    gone = tag.pk
    tag.delete()
    attribute.type = "number"
    attribute.save()
    answer = admin.get(f"{LIST}{segment.pk}/change/")
    page = answer.content.decode()
    assert (rows_of(answer), page.count("wc-row-bad")) == (4, 3)
    assert f'data-gone value="{gone}" checked' in page
    assert f"{gone} (deleted)" in page
    assert '<option value="contains" selected>contains (deleted)' in page
    assert '<option value="attribute.gone" selected>' in page
    assert save(admin, f"{LIST}{segment.pk}/change/", rule=rule).status_code == 200
    segment.refresh_from_db()
    assert segment.rule == rule


def test_a_rule_without_end_is_answered_with_a_page_of_usual_length(admin):
    row = ANA["all"][0]
    for wide in ({"all": [{"all": [{"all": [{}] * 50}] * 50}] * 50}, {"all": [{"all": []}] * 3000}):
        answer = save(admin, rule=wide)
        assert answer.status_code == 200
        assert answer.content.decode().count(" data-row ") + answer.content.decode().count(" data-group ") < 155
    assert "50 at most" in save(admin, rule={"all": [row] * 51}).content.decode()
    most = {"all": [{"all": [{"any": [row]}]}] * 50}
    assert save(admin, rule=most).status_code == 302
    assert rows_of(admin.get(f"{LIST}{Segment.objects.get().pk}/change/")) == 50


def test_one_too_many_and_a_name_just_taken_are_told_in_words(admin, monkeypatch):
    def beaten(segment):
        raise saving._taken(segment.name)

    with monkeypatch.context() as patch:
        patch.setattr(saving, "_store", beaten)
        answer = save(admin)
        assert "already a segment" in admin.get(answer.url).content.decode()
        patch.setattr(saving, "MOST", 0)
        assert "There are already 0 segments" in save(admin).content.decode()
    save(admin)
    monkeypatch.setattr(saving, "MOST", 1)
    segment = Segment.objects.get()
    assert save(admin, f"{LIST}{segment.pk}/change/", name="Renamed").status_code == 302


def test_the_count_is_that_of_the_members(admin, manager):
    for name in ("Ana", "Mariana", "Luis"):
        ContactFactory(name=name)
    answer = count(admin, ANA)
    assert total(answer) == 2
    page = answer.content.decode()
    assert page.count("data-sample") == 2
    assert "Contacts for whom: Name contains “ana”." in page
    assert total(count(admin, {})) == Contact.objects.count()
    assert "all contacts" in count(admin, {}).content.decode()


def test_an_unfinished_rule_is_not_counted(admin):
    answer = count(admin, {"all": [{"field": "name", "op": "is", "value": ""}]})
    assert "data-total" not in answer.content.decode()
    assert "Write a text." in answer.content.decode()


def test_every_field_and_operator_has_a_row(admin):
    CustomAttribute.objects.create(key="amount", label="Amount", type="number")
    TagFactory(name="<b>VIP</b>")
    page = admin.get(f"{LIST}row/").content.decode()
    fields = re.findall(r'<option value="([^"]+)"', page)
    assert "attribute.amount" in fields
    assert "conversation.open" in fields
    for field in fields:
        row = admin.get(f"{LIST}row/", {"field": field}).content.decode()
        operators = re.findall(r'<option value="([^"]+)"', row.partition("data-op")[2].partition("</select>")[0])
        assert operators, field
        for op in operators:
            assert admin.get(f"{LIST}row/", {"field": field, "op": op}).status_code == 200
    assert "&lt;b&gt;VIP" in admin.get(f"{LIST}row/", {"field": "tags"}).content.decode()
    for hostile in ("x", "attribute.x", "\x00", "'\"><script>"):
        row = admin.get(f"{LIST}row/", {"field": hostile, "op": hostile})
        assert row.status_code == 200
        assert "<script>" not in row.content.decode()


def test_a_segment_is_frozen_from_its_page(admin):
    ContactFactory(name="Ana")
    save(admin)
    segment = Segment.objects.get()
    answer = admin.post(f"{LIST}{segment.pk}/freeze/", {"name": "Anas of May"})
    frozen = Segment.objects.get(is_static=True)
    assert answer.url == f"{LIST}{frozen.pk}/change/"
    assert frozen.members.count() == 1
    page = admin.get(answer.url).content.decode()
    assert "data-builder" not in page
    assert "Frozen" in page
    refused = admin.post(f"{LIST}{segment.pk}/freeze/", {"name": ""}, follow=True)
    assert "Give the segment a name." in refused.content.decode()
    assert admin.post(f"{LIST}999/freeze/", {"name": "x"}).status_code == 404
    assert admin.post(f"{LIST}{frozen.pk}/change/", {"name": "May", "description": ""}).status_code == 302
    frozen.refresh_from_db()
    assert (frozen.name, frozen.rule) == ("May", ANA)


def test_contacts_are_filtered_by_segment(admin):
    tag = TagFactory()
    ContactFactory(name="Ana")
    ContactFactory(name="Luis")
    save(admin)
    segment = Segment.objects.get()
    with CaptureQueriesContext(connection) as queries:
        page = admin.get(f"/admin/crm/contact/?segment={segment.pk}")
    assert [contact.name for contact in page.context["cl"].result_list] == ["Ana"]
    assert len(queries) <= 9, [query["sql"] for query in queries]
    segment.rule = {"all": [{"field": "tags", "op": "none", "value": [tag.pk]}]}
    segment.save()
    tag.delete()
    page = admin.get(f"/admin/crm/contact/?segment={segment.pk}")
    assert not page.context["cl"].result_list
    assert "has to be put right" in page.content.decode()
    for key in ("x", "999", "%00", "9" * 30):
        assert admin.get(f"/admin/crm/contact/?segment={key}").status_code in (200, 302)


def test_the_list_of_segments_costs_the_same_for_one_and_for_many(admin):
    tag, attribute = TagFactory(), CustomAttribute.objects.create(key="plan", label="Plan")
    rule = {"all": [
        {"field": "tags", "op": "any", "value": [tag.pk]}, {"field": f"attribute.{attribute.key}", "op": "set"}
    ]}  # fmt: skip
    costs = []
    for names in (["one"], [f"more {n}" for n in range(30)]):
        Segment.objects.bulk_create([Segment(name=name, rule=rule) for name in names])
        with CaptureQueriesContext(connection) as queries:
            page = admin.get(LIST)
        assert "any of" in page.content.decode()
        costs.append(len(queries))
    assert costs[0] == costs[1] <= 8


def test_agents_have_no_builder(client):
    client.force_login(UserFactory())
    assert client.get(f"{LIST}row/").status_code == 403
    assert client.post(f"{LIST}count/", {"rule": "{}"}).status_code == 403
