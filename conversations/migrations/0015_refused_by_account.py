"""When a webhook was last refused that names an account."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("conversations", "0014_indexes_for_long_lists")]

    operations = [
        migrations.AddField("whatsappaccount", "refused_at", models.DateTimeField(blank=True, editable=False, null=True)),
    ]
