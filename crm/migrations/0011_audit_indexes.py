"""Indexes for looking through a long audit log: by kind of thing, where from, and day."""

from django.db import migrations, models

from crm.foundation.migrating import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("crm", "0010_audit_is_append_only")]

    operations = [
        AddIndexBeside("auditentry", models.Index(fields=["model", "-id"], name="auditentry_kind")),
        AddIndexBeside("auditentry", models.Index(fields=["source", "-id"], name="auditentry_source")),
        AddIndexBeside("auditentry", models.Index(fields=["at"], name="auditentry_at")),
    ]
