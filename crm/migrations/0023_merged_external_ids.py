"""What another system calls a contact that was merged leads to the one it is part of."""

from django.db import migrations, models

from crm.foundation.migrating import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("crm", "0022_words")]

    operations = [
        AddIndexBeside(
            "mergerecord",
            models.Index(models.F("dropped__external_id"), name="mergerecord_external_id"),
        ),
    ]
