"""Files by their age, for retention."""

from django.db import migrations, models

from crm.foundation.migrating import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("conversations", "0016_names")]

    operations = [
        AddIndexBeside(
            "attachment",
            models.Index(
                condition=models.Q(("message__isnull", False), ("state", "stored")),
                fields=["created_at"],
                name="attachment_aging",
            ),
        ),
    ]
