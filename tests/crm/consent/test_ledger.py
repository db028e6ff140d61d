"""Consent: what is recorded stays, the newest word counts, a withdrawal survives whatever is done to the contact."""

import contextlib
import datetime as dt
import itertools

import pytest
from cryptography.fernet import Fernet
from django.db import IntegrityError, connection, transaction
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.audit.models import AuditEntry
from crm.consent import ledger, suppression
from crm.consent.models import Consent, ConsentEvent, Suppression
from crm.contacts import points, profile, timeline
from crm.contacts.models import Contact
from crm.foundation import clock

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]
DAY = dt.timedelta(days=1)


def say(contact, state="granted", *, days_ago=0.0, purpose="marketing", source="form", **more):
    return ledger.record(contact, purpose=purpose, state=state, source=source, at=clock.now() - days_ago * DAY, **more)


def stands(contact, purpose="marketing"):
    return ledger.state_of(contact, purpose)


def test_marketing_needs_a_yes_and_utility_only_no_refusal(contact):
    assert not ledger.may(contact, "marketing")
    assert not ledger.may(contact, "profiling")
    assert ledger.may(contact, "utility")
    assert ledger.may(contact, "service")
    say(contact)
    assert ledger.may(contact, "marketing")
    say(contact, "withdrawn", purpose="utility")
    assert not ledger.may(contact, "utility")
    assert ledger.may(contact, "marketing")


def test_what_needs_consent_is_a_setting(contact, settings):
    settings.CONSENT_NEEDED_FOR = []
    assert ledger.may(contact, "marketing")
    say(contact, "withdrawn")
    assert not ledger.may(contact, "marketing")


def test_whose_data_is_restricted_is_not_written_to(contact):
    say(contact)
    Contact.objects.filter(pk=contact.pk).update(restricted_at=clock.now())
    assert not ledger.may(contact, "marketing")
    assert not ledger.may(contact, "utility")


@pytest.mark.covers("G02")
def test_an_audience_is_asked_at_once(contact, factories, django_assert_num_queries):
    others = [factories.ContactFactory() for _number in range(4)]
    say(contact)
    say(others[0], "withdrawn")
    say(others[1])
    with django_assert_num_queries(1):
        assert set(Contact.objects.filter(ledger.allowed("marketing"))) == {contact, others[1]}
    with django_assert_num_queries(2):
        assert ledger.split(Contact.objects.all(), "marketing") == {"granted": 2, "withdrawn": 1, "unknown": 2}


def test_old_news_change_nothing(contact):
    say(contact, "withdrawn", days_ago=1)
    say(contact, days_ago=2)
    assert stands(contact) == "withdrawn"
    assert Consent.objects.get().since == ConsentEvent.objects.get(state="withdrawn").at


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["granted", "withdrawn"]),
        st.sampled_from(["button", "keyword", "import", "whatsapp", "merge"]),
        st.integers(0, 3),
        st.sampled_from(["marketing", "utility"]),
    ),
    max_size=6,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(events=EVENTS, order=st.randoms())
def test_shuffled_news_come_to_the_same_end(db, factories, events, order):
    now, ends = clock.now(), []
    shuffled = list(events)
    order.shuffle(shuffled)
    for news in (events, shuffled):
        contact = factories.ContactFactory()  # a number of its own
        for state, source, day, purpose in news:
            ledger.record(contact, purpose=purpose, state=state, source=source, at=now - day * DAY)
        listed = suppression.found(suppression.addresses_of(contact))
        ends.append(
            (
                sorted(Consent.objects.filter(contact=contact).values_list("purpose", "state", "since")),
                sorted(row.purpose for rows in listed.values() for row in rows),
            )
        )
        says = dict(Consent.objects.filter(contact=contact).values_list("purpose", "state"))
        assert sorted(name for name, state in says.items() if state == "withdrawn") == ends[-1][1]
    assert ends[0] == ends[1]


MANY = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["granted", "withdrawn"]),
        st.sampled_from(["form", "keyword", "import", "whatsapp", "agent"]),
        st.integers(0, 3),
        st.sampled_from(["marketing", "utility"]),
    ),
    max_size=8,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(before=MANY, then=MANY)
def test_many_at_once_come_to_the_same_end_as_one_after_the_other(db, factories, before, then):
    now, ends = clock.now(), []
    for at_once in (False, True):
        people = [factories.ContactFactory() for _number in range(3)]
        told = []
        with listening(told):
            for news, together in ((before, False), (then, at_once)):
                events = [
                    ledger.news(people[who], purpose=purpose, state=state, source=source, at=now - day * DAY)
                    for who, state, source, day, purpose in news
                ]
                heard = list(told)
                if not said(events, together=together):
                    told[:] = [*heard, "refused"]  # with all that was told in that transaction
        ends.append(told + [ending_of(person) for person in people])
    assert ends[0] == ends[1]


@contextlib.contextmanager
def listening(told):
    def hear(events, **_):
        told.extend((str(event.purpose), str(event.state), event.at) for event in events)

    ledger.consent_changed.connect(hear)
    try:
        yield
    finally:
        ledger.consent_changed.disconnect(hear)


def said(events, *, together):
    """Record them, all or none; whether they were."""
    try:
        with transaction.atomic():
            if together:
                ledger.record_many(events)
            else:
                for one in events:
                    ledger.record(one.contact, purpose=one.purpose, state=one.state, source=one.source, at=one.at)
    except ledger.OnlyThePerson:
        return False
    return True


def ending_of(contact):
    rows = ("purpose", "state", "source", "at")
    listed = suppression.found(suppression.addresses_of(contact))
    return (
        list(ConsentEvent.objects.filter(contact=contact).order_by("pk").values_list(*rows)),
        sorted(Consent.objects.filter(contact=contact).values_list("purpose", "state", "since", "event__source")),
        sorted((row.purpose, row.reason) for rows in listed.values() for row in rows),
        list(AuditEntry.objects.filter(object_id=contact.pk).order_by("pk").values_list("action", "changes")),
    )


def test_many_at_once_cost_few_statements(factories, django_assert_max_num_queries):
    people = [factories.ContactFactory() for _number in range(30)]
    at = clock.now() - DAY
    with django_assert_max_num_queries(14):
        ledger.record_many(
            [ledger.news(one, purpose="marketing", state="withdrawn", source="import", at=at) for one in people]
        )
    assert Consent.objects.filter(state="withdrawn").count() == Suppression.objects.count() == 30
    with django_assert_max_num_queries(14):
        ledger.record_many([ledger.news(one, purpose="marketing", state="granted", source="form") for one in people])
    assert Consent.objects.filter(state="granted").count() == 30
    assert not Suppression.objects.exists()


def test_of_one_moment_the_withdrawal_counts(factories):
    at = clock.now()
    for order in itertools.permutations(["granted", "withdrawn"]):
        contact = factories.ContactFactory()
        for state in order:
            ledger.record(contact, purpose="marketing", state=state, source="form", at=at)
        assert stands(contact) == "withdrawn"


@pytest.mark.covers("E09")
def test_an_import_does_not_bring_back_who_has_left(contact):
    say(contact, "withdrawn", days_ago=9, source="keyword")
    say(contact, days_ago=1, source="import")
    assert stands(contact) == "withdrawn"
    assert not ledger.may(contact, "marketing")
    assert Suppression.objects.exists()
    say(contact, source="keyword")
    assert ledger.may(contact, "marketing")
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("source", ["whatsapp", "provider"])
def test_what_was_stopped_in_whatsapp_only_the_person_allows_again(contact, source, factories):
    say(contact, "withdrawn", source=source, days_ago=1)
    for other in ("agent", "api"):
        with pytest.raises(ledger.OnlyThePerson):
            ledger.record(contact, purpose="marketing", state="granted", source=other)
    say(contact, source="whatsapp")
    assert ledger.may(contact, "marketing")


def test_the_same_news_twice_is_one_event(contact):
    at = clock.now() - DAY
    events = [
        ledger.record(contact, purpose="marketing", state="withdrawn", source="whatsapp", at=at) for _time in range(10)
    ]
    assert len({event.pk for event in events}) == ConsentEvent.objects.count() == 1


def test_the_future_is_now(contact):
    event = ledger.record(
        contact, purpose="marketing", state="granted", source="form", at=clock.now() + dt.timedelta(days=3650)
    )
    assert event.at <= clock.now()


@pytest.mark.covers("G01")
def test_the_database_refuses_to_change_the_ledger(contact, factories):
    say(contact, wording="Yes, send me offers")
    rows = ConsentEvent._base_manager.all()
    with pytest.raises(TypeError):
        ConsentEvent.objects.update(state="withdrawn")
    for change in ({"state": "withdrawn"}, {"at": clock.now()}, {"wording": "No"}, {"evidence": {"a": 1}}):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            rows.update(**change)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        rows._raw_delete(rows.db)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM crm_consentevent")
    assert ConsentEvent.objects.get().state == "granted"


def test_erasure_has_a_door_that_shuts_behind_it(contact):
    say(contact)
    with ledger.opened():
        Consent.objects.all().delete()
        ConsentEvent.objects.all().delete()
    say(contact)
    with pytest.raises(IntegrityError), transaction.atomic():
        ConsentEvent._base_manager.all()._raw_delete("default")
    with pytest.raises(ZeroDivisionError), ledger.opened():
        raise ZeroDivisionError
    with pytest.raises(IntegrityError), transaction.atomic():
        ConsentEvent._base_manager.all()._raw_delete("default")


def test_a_user_who_goes_leaves_what_they_recorded(contact, factories):
    user = factories.UserFactory()
    ledger.record(contact, purpose="marketing", state="granted", source="agent", by=user, evidence={"reason": "phone"})
    user.delete()
    assert ConsentEvent.objects.get().by is None


@pytest.mark.covers("G08")
@pytest.mark.parametrize("spelling", ["+34600111222", "+34 600 111 222"])
def test_a_new_contact_with_a_withdrawn_number_is_withdrawn_at_once(contact, factories, spelling):
    say(contact, "withdrawn", source="keyword")
    from_staff = _entered(factories, spelling)
    assert stands(from_staff) == "withdrawn"
    assert ConsentEvent.objects.get(contact=from_staff).source == "suppressed"
    assert not ledger.may(from_staff, "marketing")


@pytest.mark.parametrize(
    ("said", "again"),
    [
        ("+5511987654321", "+551187654321"),
        ("+525512345678", "+5215512345678"),
        ("+541123456789", "+5491123456789"),
    ],
)
def test_the_list_knows_every_spelling_of_a_number(factories, db, said, again):
    say(factories.ContactFactory(phone=said), "withdrawn")
    assert suppression.are_suppressed([again, "+34600000001"], "marketing") == {again}


def test_a_withdrawal_holds_for_every_address_one_gets_later(contact, factories):
    say(contact, "withdrawn")
    _give(contact, "+34600999888", factories)
    assert suppression.are_suppressed(["+34600999888"], "marketing")
    assert stands(_entered(factories, "+34600999888")) == "withdrawn"


def test_digests_tell_no_numbers_and_survive_a_new_key(contact, settings):
    say(contact, "withdrawn")
    row = Suppression.objects.get()
    assert "600111222" not in row.digest
    assert len(row.digest) == 64
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]
    assert suppression.are_suppressed(["+34600111222"], "marketing")
    say(contact)
    assert not Suppression.objects.exists()


@pytest.mark.covers("G34")
def test_joined_contacts_stand_by_the_stricter(contact, factories):
    gone = factories.ContactFactory(phone="+34600333444")
    say(gone, "withdrawn", days_ago=2)
    say(contact, days_ago=1)
    say(contact, purpose="utility")
    with transaction.atomic():
        ledger.join(contact, gone)
    assert stands(contact) == "withdrawn"
    assert stands(contact, "utility") == "granted"
    assert ConsentEvent.objects.filter(contact=contact).count() == 4
    assert list(ConsentEvent.objects.filter(source="merge").values_list("state", flat=True)) == ["withdrawn"]
    assert not Consent.objects.filter(contact=gone).exists()
    assert suppression.are_suppressed(["+34600111222", "+34600333444"], "marketing") == {
        "+34600111222", "+34600333444",
    }  # fmt: skip


def test_the_ledger_can_be_counted_again(contact):
    say(contact, "withdrawn", days_ago=2)
    say(contact, days_ago=1)
    Consent.objects.update(state="withdrawn")
    ledger.refresh(contact, "marketing")
    assert stands(contact) == "granted"


def test_each_word_is_in_the_timeline(contact, factories):
    agent = factories.UserFactory(manager=True, name="Ana R.")
    ledger.record(
        contact, purpose="marketing", state="withdrawn", source="agent", by=agent, evidence={"reason": "She called"}
    )
    with translation.override("en"):
        lines = timeline.page(contact, agent, group="consents").lines
        assert [(line.entry.text, line.entry.by) for line in lines] == [("Consent withdrawn: Marketing", "Ana R.")]
    assert "She called" in lines[0].entry.detail
    assert AuditEntry.objects.get(action="consent_withdrawn").changes == {"marketing": ["", "withdrawn"]}


def _entered(factories, phone):
    return profile.write(Contact(), by=factories.UserFactory(manager=True), phone=points.read("phone", phone))


def _give(contact, phone, factories):
    points.put(contact, "phone", phone, by=factories.UserFactory())


@pytest.mark.django_db(transaction=True)
def test_nobody_empties_the_ledger_but_who_clears_away_a_test(factories):
    say(factories.ContactFactory(), "withdrawn")
    if connection.vendor == "postgresql":
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("TRUNCATE crm_consentevent CASCADE")
    assert ConsentEvent.objects.exists()
