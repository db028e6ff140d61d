"""Migrations go both ways, on a database of their own."""

import importlib

import pytest
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader

from conversations.messaging.models import Attachment, Conversation
from crm.contacts.models import Contact
from crm.foundation import clock
from crm.foundation.migrating import unhurried
from tests.conftest import ON_SQLITE
from tests.factories import ContactFactory, ConversationFactory, InboxFactory
from tests.product import Product, fresh_database_url

APPS = ("conversations", "catalog", "crm")
RELEASED = ("conversations", "0007_parked_since")


@pytest.mark.sqlite_too
def test_every_migration_can_be_taken_back_and_made_again():
    with Product(database_url=fresh_database_url()) as product:
        product.manage("migrate", "--verbosity", "0")
        for app in APPS:
            product.manage("migrate", app, "zero", "--verbosity", "0")
        shown = product.manage("showmigrations", *APPS)
        assert "[X]" not in shown
        product.manage("migrate", "--verbosity", "0")
        assert "[ ]" not in product.manage("showmigrations", *APPS)


@pytest.mark.sqlite_too
@pytest.mark.django_db
def test_a_process_of_the_release_before_still_writes():
    """Between `migrate` and its end it inserts without the new columns, and reopens what the new desk has snoozed."""
    old = MigrationLoader(connection).project_state([("crm", "0003_fewer_indexes"), RELEASED]).apps
    contact = ContactFactory()
    now = clock.now()
    assert old.get_model("crm", "User").objects.create(email="old@example.test", name="Old", time_zone="UTC").pk
    stranger = old.get_model("crm", "Contact").objects.create(kind="person", name="Stranger")
    assert Contact.objects.get(pk=stranger.pk).attributes == {}
    identity = old.get_model("crm", "ChannelIdentity").objects.create(
        contact=stranger, channel="whatsapp", scope="s", wa_id="34600", first_seen_at=now, last_seen_at=now
    )
    made = old.get_model("conversations", "Conversation").objects.create(
        inbox_id=InboxFactory().pk, identity=identity, contact=stranger
    )
    attached = old.get_model("conversations", "Attachment").objects.create(conversation=made, kind="image")
    assert (Attachment.objects.get(pk=attached.pk).peaks, Conversation.objects.get(pk=made.pk).priority) == ([], 0)
    snoozed = ConversationFactory(status="snoozed", snoozed_until=now, contact=contact, identity__contact=contact)
    row = old.get_model("conversations", "Conversation").objects.get(pk=snoozed.pk)
    row.status = "open"
    row.save(update_fields=["status"])


@pytest.mark.skipif(ON_SQLITE, reason="builds of indexes break off on PostgreSQL")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["message_text_trgm", "conversation_waiting"])
def test_an_index_whose_build_broke_off_is_built_by_the_next_try(name):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [name])
        migration = importlib.import_module("conversations.migrations.0010_message_search")
        with connection.schema_editor(atomic=False) as editor:
            state = MigrationLoader(connection).project_state([("conversations", "0010_message_search")])
            migration.create(state.apps, editor)
            for operation in migration.Migration.operations[1:]:
                operation.database_forwards("conversations", editor, state, state)
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = %s::regclass", [name])
        assert cursor.fetchone() == (True,)


@pytest.mark.skipif(ON_SQLITE, reason="SQLite has one writer anyhow")
@pytest.mark.django_db(transaction=True)
def test_a_long_build_is_not_ended_by_the_limit_of_requests():
    with connection.schema_editor(atomic=False) as editor, connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        before = cursor.fetchone()
        with unhurried(editor):
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("0",)
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == before != ("0",)


@pytest.mark.skipif(ON_SQLITE, reason="SQLite has no such index")
@pytest.mark.django_db
@pytest.mark.parametrize(("sqlstate", "is_fatal"), [("42501", False), ("0A000", False), ("57014", True)])
def test_only_a_missing_extension_leaves_the_audit_log_without_its_index(sqlstate, is_fatal):
    migration = importlib.import_module("crm.migrations.0010_audit_is_append_only")
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{sqlstate}'; END $$"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {migration.INDEX}")

    def breaks(execute, sql, params, many, context):
        return execute(raising if sql.startswith("CREATE INDEX") else sql, params, many, context)

    expected = pytest.raises(DatabaseError) if is_fatal else pytest.warns(UserWarning, match="pg_trgm")
    with connection.schema_editor(atomic=False) as editor, connection.execute_wrapper(breaks), expected:
        migration.index(None, editor)
