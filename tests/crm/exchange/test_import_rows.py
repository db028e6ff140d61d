import csv
import datetime as dt
import io

import pytest
from django.core.files.base import ContentFile
from django.utils import translation

from crm.consent import ledger
from crm.consent.models import Consent, ConsentEvent, Suppression
from crm.contacts import points, profile
from crm.contacts.models import Contact, ContactChange, CustomAttribute, LifecycleStage
from crm.exchange import fields, jobs, report
from crm.exchange.models import ImportMapping
from crm.foundation import work
from tests.crm.exchange.accounts import outcomes, reasons
from tests.factories import ContactFactory, IdentityFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


def test_every_row_of_a_file_is_accounted_for_and_nothing_is_written_by_the_dry_run(run):
    known = ContactFactory(name="Ana", phone="+34600111222")
    same = ContactFactory(name="Luis", phone="+34600111333")
    assert points.current(known).count() == 1
    job = run(
        "name,phone,company\n"
        "Ana,+34 600 111 222,Acme\n"
        "Luis,0034600111333,\n"
        "Eva,+34600111444,Eva SL\n"
        "Eva again,+34 600-111-444,\n"
        "Nobody,12,\n"
        "\n"
        ",,just a company\n",
        commit=False,
    )
    assert outcomes(job) == {2: "update", 3: "same", 4: "new", 5: "duplicate", 6: "error", 8: "error"}
    assert job.counts == {"new": 1, "update": 1, "same": 1, "duplicate": 1, "error": 2}
    assert "row 4" in reasons(job)[5]
    assert "Phone" in reasons(job)[6]
    assert set(Contact.objects.values_list("pk", flat=True)) == {known.pk, same.pk}


def test_a_committed_file_makes_and_changes_contacts_with_their_points_search_text_and_history(run):
    known = ContactFactory(name="Ana", phone="+34600111222")
    job = run("name;teléfono;e-mail;empresa\nAna María;600 111 222;ana@acme.es;Acme\nEva;600111444;eva@x.es;\n",
              options={"country": "ES"})  # fmt: skip
    assert job.counts["update"] == job.counts["new"] == 1
    known.refresh_from_db()
    assert (known.name, known.company, known.version) == ("Ana María", "Acme", 2)
    assert sorted(ContactChange.objects.values_list("field", flat=True)) == ["company", "email", "name"]
    eva = Contact.objects.get(name="Eva")
    assert eva.phone == "+34600111444"
    assert eva.is_name_confirmed
    assert list(points.current(eva).values_list("kind", "value", "is_primary")) == [
        ("email", "eva@x.es", True), ("phone", "+34600111444", True),
    ]  # fmt: skip
    for text in ("eva@x.es", "600111444", "eva"):
        assert list(Contact.objects.search(text)) == [eva]
    assert list(Contact.objects.search("ana@acme.es acme")) == [known]


def test_a_file_imported_twice_changes_nothing_the_second_time(run):
    text = "name,phone,email,tags\nAna,+34600111222,ana@x.es,VIP\nEva,+34600111333,,\nZoe,,zoe@x.es,\n"
    assert run(text).counts["new"] == 3
    again = run(text)
    assert again.counts["same"] == 3
    assert Contact.objects.count() == 3
    assert set(Contact.objects.values_list("version", flat=True)) == {1}


def test_numbers_that_whatsapp_spells_otherwise_find_their_contact(run):
    brazil = IdentityFactory(wa_id="551187654321", match_key="5511987654321").contact
    job = run("phone,company\n+55 11 98765-4321,Acme\n")
    brazil.refresh_from_db()
    assert outcomes(job) == {2: "update"}
    assert brazil.company == "Acme"


def test_an_external_id_finds_its_contact_before_the_number_does_and_contradictions_are_errors(run):
    first = ContactFactory(external_id="A1", phone="+34600111222")
    second = ContactFactory(external_id="B2", phone="+34600111333")
    third = ContactFactory(phone="+34600111444")
    IdentityFactory(contact=first, wa_id="34600111555", match_key="34600111555")
    job = run("external_id,phone,company\nA1,,One\nA1x,+34600111333,Two\nB2,+34600111555,Three\nC3,+34600111444,Four\n")
    assert outcomes(job) == {2: "update", 3: "error", 4: "error", 5: "update"}
    for row in (first, second, third):
        row.refresh_from_db()
    assert (first.company, second.company, third.company, third.external_id) == ("One", "", "Four", "C3")


def test_two_rows_that_mean_one_contact_by_different_names_are_duplicates_however_far_apart(run, monkeypatch):
    contact = ContactFactory(external_id="A1", phone="+34600111222")
    rows = "external_id,phone,email,company\nA1,,a@x.es,One\nB1,,,\nB2,,,\n,+34600111222,a@x.es,Two\n"
    for size in (50, 2):
        monkeypatch.setattr(jobs, "at_once", lambda size=size: size)
        job = run(rows)
        assert outcomes(job)[5] == "duplicate"
        assert "row 2" in reasons(job)[5]
        contact.refresh_from_db()
        assert contact.company == "One"


def test_headers_and_cells_with_what_no_database_keeps_are_taken_or_refused_by_row(run):
    job = run("na\x00me,phone\nAna,+34600111222\nE\x00va,+34600111333\n", mapping={"0": "name", "1": "phone"})
    assert outcomes(job) == {2: "new", 3: "error"}


def test_a_second_number_is_added_and_the_first_one_stays(run):
    contact = ContactFactory(external_id="A1", phone="+34600111222")
    run("external_id,phone\nA1,+34600999888\n")
    contact.refresh_from_db()
    assert contact.phone == "+34600111222"
    assert set(points.current(contact).values_list("value", "is_primary")) == {
        ("+34600111222", True), ("+34600999888", False),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("existing", "company", "language"), [("update", "New", "es"), ("fill", "Old", "es"), ("skip", "Old", "")]
)
def test_known_contacts_are_overwritten_filled_or_left(run, existing, company, language):
    contact = ContactFactory(phone="+34600111222", company="Old", language="")
    run("phone,company,language\n+34600111222,New,es\n", options={"existing": existing})
    contact.refresh_from_db()
    assert (contact.company, contact.language) == (company, language)


def test_custom_attributes_stages_and_tags_are_read_by_their_rules(run):
    CustomAttribute.objects.create(key="since", label="Customer since", type="date")
    CustomAttribute.objects.create(key="size", label="Size", type="choice", choices=["Small", "Big"])
    CustomAttribute.objects.create(key="vip", label="VIP", type="yes_no")
    stage = LifecycleStage.objects.create(name="Lead")
    job = run(
        "name,Customer since,size,attributes.vip,stage,tags\n"
        'Ana,31/05/2026,big,sí,lead,"VIP, Madrid"\n'
        "Eva,2026-02-30,Small,no,,\n"
        "Zoe,,Huge,,Nowhere,\n"
    )
    ana = Contact.objects.get(name="Ana")
    assert ana.attributes == {"since": "2026-05-31", "size": "Big", "vip": True}
    assert ana.stage == stage
    assert sorted(tag.name for tag in ana.tags.all()) == ["Madrid", "VIP"]
    assert {link.reason for link in ana.contact_tags.all()} == {f"import {job.pk}"}
    assert outcomes(job) == {2: "new", 3: "error", 4: "error"}


def test_restricted_people_and_groups_are_left_alone(run, settings):
    restricted = ContactFactory(phone="+34600111222", restricted_at=dt.datetime.now(dt.UTC))
    group = ContactFactory(external_id="G", phone=None, kind="group")
    job = run("external_id,phone,company\n,+34600111222,New\nG,,New\n")
    assert set(outcomes(job).values()) == {"error"}
    for row in (restricted, group):
        row.refresh_from_db()
        assert row.company == ""


@pytest.mark.covers("E07")
def test_consent_needs_where_it_comes_from_and_its_day(run, importer):
    text = (
        "name,phone,marketing,consent_source,consent_at\nAna,+34600111222,yes,,2026-01-02\n"
        "Eva,+34600111333,yes,Fair,\nZoe,+34600111444,yes,Fair,2026-01-02\n"
    )
    job = run(text)
    assert outcomes(job) == {2: "error", 3: "error", 4: "new"}
    event = ConsentEvent.objects.get()
    assert (event.purpose, event.state, event.source) == ("marketing", "granted", "import")
    assert event.at == dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    assert event.evidence["from"] == "Fair"
    assert event.evidence["row"] == 4
    with pytest.raises(fields.BadMapping) as refused:
        run("name,marketing\nAna,yes\n")
    assert set(refused.value.problems) == {"consent_source", "consent_at"}
    run("name,phone,marketing\nIris,+34600111555,yes\n", options={"consent_source": "Fair", "consent_at": "2026-01-02"})
    assert ConsentEvent.objects.count() == 2


@pytest.mark.covers("E07")
@pytest.mark.parametrize("field", ["owner", "restricted_at", "role", "identities", "wa_id", "version"])
def test_what_is_nobodys_to_set_by_a_file_is_no_field(run, field):
    with pytest.raises(fields.BadMapping) as refused:
        run(f"name,{field}\nAna,x\n", mapping={"0": "name", "1": field})
    assert set(refused.value.problems) == {"1"}


@pytest.mark.covers("E09")
def test_who_opted_out_stays_out_by_number_and_as_somebody_new(run):
    known = ContactFactory(phone="+34600111222")
    ledger.record(known, purpose="marketing", state="withdrawn", source="keyword")
    gone = ContactFactory(phone="+34600111333")
    points.keep(gone)
    ledger.record(gone, purpose="marketing", state="withdrawn", source="keyword")
    with ledger.opened():
        gone.delete()
    assert Suppression.objects.count() == 2
    head = "phone,marketing,consent_source,consent_at,name\n"
    job = run(
        f"{head}+34600111222,yes,Fair,2099-01-01,Ana\n+34600111222,yes,Fair,2026-11-01,Ana\n+34600111333,yes,Fair,2026-11-01,Eva\n"
    )
    assert outcomes(job) == {2: "error", 3: "update", 4: "new"}
    assert "opted out" in reasons(job)[3]
    assert "opted out" in reasons(job)[4]
    assert set(Consent.objects.values_list("state", flat=True)) == {"withdrawn"}
    assert Consent.objects.count() == 2


def test_undo_deletes_what_was_made_and_gives_back_what_was_there(run, importer, manager):
    CustomAttribute.objects.create(key="size", label="Size", type="text")
    known = ContactFactory(name="Ana", phone="+34600111222", company="Old", attributes={"size": "S"})
    points.keep(known)
    profile.tag(known, "before", by=manager)
    known.refresh_from_db()
    before = profile_of(known)
    job = run(
        "name,phone,email,company,size,tags,marketing,consent_source,consent_at\n"
        "Ana María,+34600111222,ana@x.es,New,L,now,yes,Fair,2026-01-02\n"
        "Eva,+34600111333,eva@x.es,,,now,yes,Fair,2026-01-02\nZoe,+34600111444,,,,,,,\n"
    )
    zoe = Contact.objects.get(name="Zoe")
    profile.write(zoe, by=manager, company="Ours now")
    importer.start_undo(job, by=manager)
    work.run_until_idle("imports")
    job.refresh_from_db()
    assert (job.step, job.state) == ("undo", "done")
    known.refresh_from_db()
    assert profile_of(known) == before
    assert not Contact.objects.filter(name="Eva").exists()
    assert Contact.objects.get(name="Zoe").company == "Ours now"
    assert "changed since" in reasons(job)[4]
    assert not Consent.objects.exists()


def test_undo_leaves_what_somebody_changed_since(run, importer, manager):
    known = ContactFactory(name="Ana", phone="+34600111222", company="Old", language="")
    job = run("phone,company,language\n+34600111222,New,es\n")
    profile.write(known, by=manager, company="Newer")
    importer.start_undo(job, by=manager)
    work.run_until_idle("imports")
    known.refresh_from_db()
    assert (known.company, known.language) == ("Newer", "")
    assert "company" in reasons(job)[2]


def test_the_report_has_every_row_with_its_reason_and_nothing_in_it_is_a_formula(run):
    job = run("name,phone\n=HYPERLINK(1),+34600111222\nEva,12\n")
    with translation.override("en"):
        rows = list(csv.reader(io.StringIO(b"".join(report.report(job)).decode("utf-8-sig"))))
    assert rows[0] == ["Row", "Result", "Reason", "Contact", "name", "phone"]
    assert rows[1][:2] == ["2", "New"]
    assert rows[1][4:] == ["'=HYPERLINK(1)", "'+34600111222"]
    assert rows[2][0:2] == ["3", "Error"]
    assert len(list(csv.reader(io.StringIO(b"".join(report.report(job, "error")).decode())))) == 2


def test_a_mapping_is_remembered_for_files_with_the_same_headers(run, importer, manager):
    run("who,nr\nAna,+34600111222\n", mapping={"0": "name", "1": "phone"}, options={"existing": "fill"})
    assert ImportMapping.objects.count() == 1
    job = importer.upload(ContentFile(b"Who,NR\nEva,+34600111333\n", "b.csv"), by=manager)
    assert job.mapping == {"0": "name", "1": "phone"}
    assert job.options["existing"] == "fill"


def profile_of(contact):
    """What there is of a contact, but for its count of changes."""
    return (
        contact.name, contact.is_name_confirmed, contact.company, contact.attributes, contact.search_text,
        contact.phone,
        sorted(points.current(contact).values_list("kind", "value", "is_primary")),
        sorted(tag.name for tag in contact.tags.all()),
    )  # fmt: skip
