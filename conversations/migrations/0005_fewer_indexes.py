"""Fewer indexes: a message, its conversation, its webhook and its hint are written often and pay for each of them.

Plain statements, which hold up writers for the time of building; nothing of this size is in use before this version.
"""

import crm.foundation.clock
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


# These change all the time: cleaned at 2 % of dead rows, not at PostgreSQL's 20 %, so that what is read through their
# small partial indexes does not wade through what was there.
BUSY = ["conversations_webhookevent", "conversations_conversation", "conversations_message", "conversations_livehint"]
CLEANING = {"autovacuum_vacuum_scale_factor": 0.02, "autovacuum_analyze_scale_factor": 0.02}


def clean_sooner(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for table in BUSY:
            schema_editor.execute(f"ALTER TABLE {table} SET ({', '.join(f'{k} = {v}' for k, v in CLEANING.items())})")


def clean_as_usual(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for table in BUSY:
            schema_editor.execute(f"ALTER TABLE {table} RESET ({', '.join(CLEANING)})")


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0004_indexes_for_monitoring"),
        ("crm", "0003_fewer_indexes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="conversation",
            name="conversation_one_per_person",
        ),
        migrations.RemoveConstraint(
            model_name="message",
            name="message_client_id_once",
        ),
        migrations.RemoveIndex(
            model_name="conversation",
            name="conversation_mine",
        ),
        migrations.RemoveIndex(
            model_name="conversation",
            name="conversation_all",
        ),
        migrations.RemoveIndex(
            model_name="conversation",
            name="conversation_unassigned",
        ),
        migrations.RemoveIndex(
            model_name="message",
            name="message_client",
        ),
        migrations.AlterField(
            model_name="attachment",
            name="uploaded_by",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="external_id",
            field=models.CharField(blank=True, max_length=256),
        ),
        migrations.AlterField(
            model_name="conversation",
            name="assignee",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="conversations",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="conversation",
            name="identity",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="conversations",
                to="crm.channelidentity",
            ),
        ),
        migrations.AlterField(
            model_name="conversation",
            name="inbox",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="conversations",
                to="conversations.inbox",
            ),
        ),
        migrations.AlterField(
            model_name="conversation",
            name="team",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="conversations",
                to="crm.team",
            ),
        ),
        migrations.AlterField(
            model_name="conversationevent",
            name="conversation",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="events",
                to="conversations.conversation",
            ),
        ),
        migrations.AlterField(
            model_name="conversationevent",
            name="user",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="conversationread",
            name="conversation",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="reads",
                to="conversations.conversation",
            ),
        ),
        migrations.AlterField(
            model_name="eventitem",
            name="event",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="items",
                to="conversations.webhookevent",
            ),
        ),
        migrations.AlterField(
            model_name="livehint",
            name="created_at",
            field=models.DateTimeField(default=crm.foundation.clock.real),
        ),
        migrations.AlterField(
            model_name="message",
            name="author",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="conversation",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="messages",
                to="conversations.conversation",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="inbox",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="conversations.inbox"
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="reply_to",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="conversations.message",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="sender",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="crm.channelidentity",
            ),
        ),
        migrations.AlterField(
            model_name="parkedupdate",
            name="inbox",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="conversations.inbox"
            ),
        ),
        migrations.AlterField(
            model_name="reaction",
            name="message",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="reactions",
                to="conversations.message",
            ),
        ),
        migrations.AddIndex(
            model_name="attachment",
            index=models.Index(condition=models.Q(("message", None)), fields=["created_at"], name="attachment_unsent"),
        ),
        migrations.AddIndex(
            model_name="attachment",
            index=models.Index(
                condition=models.Q(("uploaded_by__isnull", False)), fields=["uploaded_by"], name="attachment_uploader"
            ),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(
                condition=models.Q(("external_id", ""), _negated=True),
                fields=["external_id"],
                name="attempt_external_id",
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("status", "open")), fields=["-last_activity_at", "-id"], name="conversation_open"
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("status", "open")),
                fields=["assignee", "-last_activity_at", "-id"],
                name="conversation_open_of",
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("status", "dormant"), _negated=True),
                fields=["-last_activity_at", "-id"],
                name="conversation_all",
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("status", "dormant"), _negated=True),
                fields=["assignee", "-last_activity_at", "-id"],
                name="conversation_all_of",
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("assignee", None), ("team__isnull", False)),
                fields=["team"],
                name="conversation_of_team",
            ),
        ),
        migrations.AddIndex(
            model_name="conversationevent",
            index=models.Index(
                condition=models.Q(("user__isnull", False)), fields=["user"], name="conversationevent_user"
            ),
        ),
        migrations.AddIndex(
            model_name="livehint",
            index=models.Index(fields=["transaction_id", "id"], name="livehint_place"),
        ),
        migrations.AddIndex(
            model_name="livehint",
            index=models.Index(fields=["created_at"], name="livehint_created"),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(condition=models.Q(("author__isnull", False)), fields=["author"], name="message_author"),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(condition=models.Q(("sender__isnull", False)), fields=["sender"], name="message_sender"),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("reply_to__isnull", False)), fields=["reply_to"], name="message_reply_to"
            ),
        ),
        migrations.AddIndex(
            model_name="reaction",
            index=models.Index(
                condition=models.Q(("actor", "us"), _negated=True), fields=["actor"], name="reaction_actor"
            ),
        ),
        migrations.AddConstraint(
            model_name="conversation",
            constraint=models.UniqueConstraint(fields=("identity", "inbox"), name="conversation_one_per_person"),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.UniqueConstraint(fields=("client_id", "conversation"), name="message_client_id_once"),
        ),
        migrations.RunPython(clean_sooner, clean_as_usual),
    ]
