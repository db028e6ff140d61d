"""Indexes for the administration's long lists, built while others write: webhooks by when they came, messages of a set.

A period of a set is a range of its index; without one, a set that few messages are in would be looked for in all.
"""

from django.db import migrations, models
from django.db.models import Q

from crm.foundation.migrating import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("conversations", "0013_messages_by_failure_and_day")]

    operations = [
        AddIndexBeside("webhookevent", models.Index(fields=["received_at", "id"], name="webhookevent_received")),
        AddIndexBeside(
            "message",
            models.Index(fields=["created_at"], condition=Q(answered_after__isnull=False), name="message_answers"),
        ),
        AddIndexBeside(
            "message",
            models.Index(
                fields=["created_at"], condition=Q(direction="out", pricing__billable=True), name="message_charged"
            ),
        ),
    ]
