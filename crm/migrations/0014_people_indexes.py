"""Indexes of contacts by owner and stage, and the unique external id, built while others write."""

from django.db import migrations, models

from crm.foundation.migrating import AddIndexBeside, AddUniqueBeside


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("crm", "0013_people")]

    operations = [
        AddIndexBeside(
            "contact",
            models.Index(
                condition=models.Q(("owner__isnull", False)), fields=["owner", "-id"], name="contact_owner"
            ),
        ),
        AddIndexBeside(
            "contact",
            models.Index(
                condition=models.Q(("stage__isnull", False)), fields=["stage", "-id"], name="contact_stage"
            ),
        ),
        AddUniqueBeside(
            "contact",
            models.UniqueConstraint(
                condition=models.Q(("external_id__isnull", False)),
                fields=("external_id",),
                name="contact_external_id_once",
            ),
        ),
    ]
