from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("conversations", "0010_message_search")]

    operations = [
        migrations.AddField(
            model_name="scheduledmessage",
            name="changed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="attachment",
            name="sound_tries",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="attachment",
            name="sound_lease_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
