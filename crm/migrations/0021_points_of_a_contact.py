"""An index of all points of a contact, former ones too: without it each contact that is deleted reads the whole table."""

from django.db import migrations, models

from crm.foundation.migrating import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("crm", "0020_stale_search")]

    operations = [
        AddIndexBeside("contactpoint", models.Index(fields=["contact"], name="contactpoint_of_contact")),
    ]
