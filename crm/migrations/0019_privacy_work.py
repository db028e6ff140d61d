"""What the background work on requests needs: whose turn it is, and who it was."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("crm", "0018_merging")]

    operations = [
        migrations.AddField("privacyrequest", "sealed", models.BinaryField(editable=False, null=True)),
        migrations.AddField("privacyrequest", "lease_until", models.DateTimeField(editable=False, null=True)),
        migrations.AddField(
            "privacyrequest",
            "lease_token",
            models.CharField(blank=True, db_default="", default="", editable=False, max_length=32),
        ),
        migrations.AddIndex(
            "privacyrequest",
            models.Index(condition=models.Q(("state", "running")), fields=["id"], name="privacyrequest_running"),
        ),
        migrations.AddIndex(
            "privacyrequest", models.Index(fields=["subject"], name="privacyrequest_subject"),
        ),
    ]
