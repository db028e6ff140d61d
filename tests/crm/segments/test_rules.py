"""Rules: random ones mean in SQL what they mean in Python; broken ones say at each row what is wrong."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.contacts import attributes
from crm.contacts.models import Contact, CustomAttribute
from crm.foundation import clock
from crm.segments import operators, rules, sentence
from crm.segments.fields import Catalogue, Type
from crm.segments.models import Segment
from crm.segments.rules import BrokenRule
from tests.crm.segments.worlds import WORDS, World

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]
UNKNOWN_HERE = (
    "segment",
    "has_email",
    "conversation.channel",
    "consent.service",
    "consent.utility",
    "consent.profiling",
)


@pytest.fixture
def world(db):
    return World()


@st.composite
def conditions(draw, fields, catalogue):
    field = draw(st.sampled_from(fields))
    operator = draw(st.sampled_from(list(operators.of(field).values())))
    row = {"field": field.name, "op": operator.name}
    number = st.one_of(st.integers(-3, 12), st.sampled_from([2.5, 0.5]))
    day = st.integers(-40, 20).map(lambda n: (operators.today() + dt.timedelta(days=n)).isoformat())
    value = {
        "nothing": st.none(), "text": st.sampled_from(WORDS), "number": number, "day": day,
        "numbers": st.tuples(number, number).map(sorted), "days": st.tuples(day, day).map(sorted),
        "count": st.integers(0, 40), "yes_no": st.booleans(),
        "choices": st.lists(st.sampled_from(list(catalogue.choices(field)) or ["-"]), min_size=1, max_size=3),
    }[operator.asks]  # fmt: skip
    return row if operator.asks == "nothing" else row | {"value": draw(value)}


def trees(fields, catalogue):
    def group_of(part, least):
        parts = st.lists(part, min_size=least, max_size=3)
        return st.builds(lambda mode, rows: {mode: rows}, st.sampled_from(rules.MODES), parts)

    part = row = conditions(fields, catalogue)
    for _level in range(rules.DEPTH_MAX - 1):
        part = st.one_of(row, group_of(part, 1))
    return group_of(part, 0)


def test_random_rules_mean_in_sql_what_they_mean_in_python(world, manager):
    catalogue = Catalogue()
    fields = [field for field in catalogue.all() if field.name not in UNKNOWN_HERE]
    assert {field.type for field in fields} == set(Type)

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(rule=trees(fields, catalogue))
    def check(rule):
        found = list(rules.contacts(rule, manager, catalogue).values_list("pk", flat=True))
        assert len(found) == len(set(found))
        assert set(found) == world.described(rule), rule
        assert rules.read(rules.read(rule, catalogue).as_json(), catalogue) == rules.read(rule, catalogue)
        assert sentence.of(rule, catalogue)

    check()


def test_every_operator_of_every_field_alone(world, manager):
    catalogue = Catalogue()
    day = operators.today().isoformat()
    values = {
        "text": "ana", "number": 3, "numbers": [0, 3], "day": day, "days": [day, day], "count": 7, "yes_no": True
    }  # fmt: skip
    for field in catalogue.all():
        for operator in operators.of(field).values():
            some = list(catalogue.choices(field))[:2]
            if operator.asks == "choices" and not some:
                continue
            row = {"field": field.name, "op": operator.name, "value": values.get(operator.asks, some)}
            found = rules.contacts({"all": [row]}, manager, catalogue)
            assert len(set(found.values_list("pk", flat=True))) == found.count()
            if field.name not in UNKNOWN_HERE:
                assert set(found.values_list("pk", flat=True)) == world.described({"all": [row]}), row


def broken(rule):
    with pytest.raises(BrokenRule) as error:
        rules.read(rule)
    return error.value.problems


NAME = {"field": "name", "op": "is", "value": "Ana"}


@pytest.mark.parametrize(
    ("rule", "where"),
    [
        ([], [""]), ("x", [""]), (5, [""]), ({"all": [], "any": []}, [""]), ({"not": []}, [""]), ({"all": {}}, [""]),
        ({"all": [NAME, 5, None, "x", []]}, ["1", "2", "3", "4"]),
        ({"all": [{}]}, ["0"]), ({"all": [{"field": 5}]}, ["0"]), ({"all": [{"field": ["name"], "op": "is"}]}, ["0"]),
        ({"all": [{"field": "shoe_size", "op": "is", "value": 1}, NAME]}, ["0"]),
        ({"any": [NAME, {"all": [NAME, {"field": "name", "op": "drop table", "value": "x"}]}]}, ["1.1"]),
        ({"all": [{"field": "name", "op": {"x": 1}, "value": "x"}]}, ["0"]),
        ({"all": [{"field": "name", "op": "is"}]}, ["0"]),
        ({"all": [{"field": "name", "op": "is", "value": ""}]}, ["0"]),
        ({"all": [{"field": "name", "op": "is", "value": ["a"]}]}, ["0"]),
        ({"all": [{"field": "name", "op": "is", "value": "x" * 201}]}, ["0"]),
        ({"all": [{"field": "kind", "op": "any", "value": []}]}, ["0"]),
        ({"all": [{"field": "kind", "op": "any", "value": ["person", "group"]}]}, ["0"]),
        ({"all": [{"field": "kind", "op": "any", "value": [True]}]}, ["0"]),
        ({"all": [{"field": "tags", "op": "any", "value": [999999]}]}, ["0"]),
        ({"all": [{"field": "tags", "op": "any", "value": list(range(101))}]}, ["0"]),
        ({"all": [{"field": "created", "op": "before", "value": "31/12/2026"}]}, ["0"]),
        ({"all": [{"field": "created", "op": "before", "value": "2026-02-30"}]}, ["0"]),
        ({"all": [{"field": "created", "op": "past", "value": 1e400}]}, ["0"]),
        ({"all": [{"field": "created", "op": "past", "value": -1}]}, ["0"]),
        ({"all": [{"field": "created", "op": "past", "value": 1.5}]}, ["0"]),
        ({"all": [{"field": "created", "op": "past", "value": 36501}]}, ["0"]),
        ({"all": [{"field": "created", "op": "set"}]}, ["0"]),
        ({"all": [{"field": "created", "op": "between", "value": ["2026-02-02", "2026-01-01"]}]}, ["0"]),
        ({"all": [{"field": "created", "op": "between", "value": ["2026-02-02"]}]}, ["0"]),
        ({"all": [{"field": "conversation.open", "op": "is", "value": "perhaps"}]}, ["0"]),
        ({"all": [{"all": []}]}, ["0"]), ({"all": [NAME] * 51}, [""]), ({"all": [{"any": [NAME] * 30}] * 2}, [""]),
        ({"all": [{"any": [{"all": [{"any": [NAME]}]}]}]}, ["0.0.0"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_row(rule, where):
    problems = broken(rule)
    assert list(problems) == where
    assert all(problems.values())


def test_nesting_without_end_is_refused_without_failing():
    rule = NAME
    for _level in range(500):
        rule = {"all": [rule]}
    assert broken(rule)


def test_fifty_conditions_and_three_levels_are_taken(manager):
    rule = {"any": [{"all": [{"any": [NAME] * 25}]}, {"all": [NAME] * 25}]}
    assert rules.contacts(rule, manager).count() == 0


@pytest.mark.parametrize("text", ["' OR 1=1 --", "%", "_", "\\", '"; DROP TABLE x', "$.a", "\x00", "%s", "{0}"])
def test_values_are_values_and_never_sql(manager, factories, text):
    CustomAttribute.objects.create(key="word", label="Word")
    factories.ContactFactory(name="Plain", attributes={"word": "plain"})
    for field in ("name", "attribute.word"):
        for op in ("is", "contains", "starts"):
            rule = {"all": [{"field": field, "op": op, "value": text}]}
            assert rules.contacts(rule, manager).count() == 0, (field, op)
    broken({"all": [{"field": f"attribute.{text}", "op": "set"}]})
    broken({"all": [{"field": "name", "op": text, "value": "x"}]})


def test_a_rule_over_what_is_deleted_is_an_error_at_its_row(manager, factories):
    attribute = CustomAttribute.objects.create(key="plan", label="Plan", type="choice", choices=["A", "B"])
    tag = factories.TagFactory()
    rule = {
        "all": [
            NAME,
            {"field": "attribute.plan", "op": "any", "value": ["A"]},
            {"any": [NAME, {"field": "tags", "op": "none", "value": [tag.pk]}]},
        ]
    }  # fmt: skip
    rules.read(rule)
    CustomAttribute.objects.update(choices=["B"])
    assert list(broken(rule)) == ["1"]
    tag.delete()
    attributes.remove(attribute)
    assert list(broken(rule)) == ["1", "2.1"]
    with pytest.raises(BrokenRule):  # nobody is meant by mistake
        rules.members(Segment(rule=rule), manager)


def test_the_restricted_and_groups_are_in_no_segment(manager, factories):
    usual = factories.ContactFactory()
    factories.ContactFactory(restricted_at=clock.now())
    factories.ContactFactory(kind=Contact.Kind.GROUP)
    assert list(rules.contacts({}, manager)) == [usual]
    frozen = Segment.objects.create(name="Frozen", is_static=True)
    frozen.members.set(Contact.objects.all())
    assert list(rules.members(frozen, manager)) == [usual]


def test_an_agent_finds_only_whom_they_see(factories):
    team = factories.TeamFactory()
    agent = factories.UserFactory(teams=[team])
    seen = factories.ConversationFactory(inbox=factories.InboxFactory(teams=[team])).contact
    factories.ConversationFactory()
    rule = {"all": [{"field": "conversation.open", "op": "is", "value": True}]}
    assert list(rules.contacts(rule, agent)) == [seen]


def test_a_rule_asks_for_each_list_of_choices_once(world, manager):
    tags = {"field": "tags", "op": "any", "value": [tag.pk for tag in world.tags]}
    vip = {"field": "attribute.vip", "op": "is", "value": True}
    with CaptureQueriesContext(connection) as queries:
        list(rules.contacts({"all": [tags, vip, {"any": [tags, vip, tags]}]}, manager))
    assert len(queries) == 3  # tags, attributes, the contacts


def test_days_begin_at_midnight_where_the_business_is(manager, factories, settings):
    settings.TIME_ZONE = "Europe/Madrid"
    before = factories.ContactFactory(created_at=dt.datetime(2026, 6, 30, 21, 59, tzinfo=dt.UTC))
    after = factories.ContactFactory(created_at=dt.datetime(2026, 6, 30, 22, 0, tzinfo=dt.UTC))
    on = {"field": "created", "op": "on", "value": "2026-06-30"}
    assert list(rules.contacts({"all": [on]}, manager)) == [before]
    assert list(rules.contacts({"all": [on | {"value": "2026-07-01"}]}, manager)) == [after]


@pytest.mark.parametrize(
    ("day", "born"),
    [("2027-02-27", True), ("2027-03-01", False), ("2028-02-28", True), ("2028-03-01", False), ("2026-12-31", False)],
)
def test_an_anniversary_comes_every_year_and_that_of_a_leap_day_too(manager, factories, monkeypatch, day, born):
    CustomAttribute.objects.create(key="birthday", label="Birthday", type="date")
    leap = factories.ContactFactory(attributes={"birthday": "1992-02-29"})
    new_year = factories.ContactFactory(attributes={"birthday": "1980-01-01"})
    monkeypatch.setattr(operators, "today", lambda: dt.date.fromisoformat(day))
    rule = {"all": [{"field": "attribute.birthday", "op": "yearly", "value": 1}]}
    wanted = {leap} if born else {new_year} if day.endswith("12-31") else set()
    assert set(rules.contacts(rule, manager)) == wanted
    assert set(rules.contacts({"all": [rule["all"][0] | {"value": 400}]}, manager)) == {leap, new_year}


def test_the_sentence_says_it_in_both_languages(world):
    rule = {
        "all": [
            {"field": "company", "op": "contains", "value": "acme"},
            {"any": [
                {"field": "created", "op": "past", "value": 30},
                {"field": "attribute.amount", "op": "gte", "value": 1000},
            ]},
        ]
    }  # fmt: skip
    with translation.override("en"):
        assert sentence.of({}) == "All contacts."
        assert sentence.of(rule) == (
            "Contacts for whom: Company contains “acme” and (First contact in the last 30 days or Amount ≥ 1,000)."
        )
