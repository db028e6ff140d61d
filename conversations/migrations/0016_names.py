"""What the administration calls rows that go with others."""

from django.db import migrations


class Migration(migrations.Migration):
    """Names only; nothing of the database changes."""

    dependencies = [("conversations", "0015_refused_by_account")]

    operations = [
        migrations.AlterModelOptions(
            name="attachment", options={"verbose_name": "attachment", "verbose_name_plural": "attachments"}
        ),
        migrations.AlterModelOptions(
            name="conversationtag",
            options={"verbose_name": "tag of a conversation", "verbose_name_plural": "tags of conversations"},
        ),
    ]
