import crm.foundation.clock
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0011_sound_leases_and_changed_plans"),
        ("crm", "0006_audit"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="NumberCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("asked_at", models.DateTimeField(default=crm.foundation.clock.real)),
                ("answers", models.JSONField(default=dict)),
                ("problems", models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name="RefusedWebhooks",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(unique=True)),
                ("count", models.PositiveBigIntegerField(default=0)),
                ("last_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Seat",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("seen_at", models.DateTimeField(default=crm.foundation.clock.real)),
            ],
        ),
        migrations.AlterModelOptions(
            name="appsecret",
            options={"verbose_name": "app secret", "verbose_name_plural": "app secrets"},
        ),
        migrations.AlterModelOptions(
            name="attempt",
            options={"verbose_name": "attempt", "verbose_name_plural": "attempts"},
        ),
        migrations.AlterModelOptions(
            name="eventitem",
            options={"verbose_name": "item of a webhook", "verbose_name_plural": "items of the webhook"},
        ),
        migrations.AlterModelOptions(
            name="notice",
            options={"verbose_name": "mention", "verbose_name_plural": "mentions"},
        ),
        migrations.AlterModelOptions(
            name="parkedupdate",
            options={"verbose_name": "parked update", "verbose_name_plural": "parked updates"},
        ),
        migrations.AlterModelOptions(
            name="savedview",
            options={
                "ordering": ["position", "name", "pk"],
                "verbose_name": "saved view",
                "verbose_name_plural": "saved views",
            },
        ),
        migrations.AlterModelOptions(
            name="scheduledmessage",
            options={"verbose_name": "scheduled message", "verbose_name_plural": "scheduled messages"},
        ),
        migrations.AlterModelOptions(
            name="sendfence",
            options={"verbose_name": "stop of sending", "verbose_name_plural": "stops of sending"},
        ),
        migrations.AlterModelOptions(
            name="webhookevent",
            options={"verbose_name": "webhook", "verbose_name_plural": "webhooks"},
        ),
        migrations.AddField(
            model_name="appsecret",
            name="retired_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="message",
            name="answered_after",
            field=models.IntegerField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="whatsappaccount",
            name="last_event_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="whatsappaccount",
            name="webhook_verified_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="outcome",
            field=models.CharField(
                choices=[
                    ("sending", "On its way"),
                    ("accepted", "Accepted"),
                    ("refused", "Refused"),
                    ("retry", "To be tried again"),
                    ("unknown", "Not confirmed"),
                ],
                default="sending",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="eventitem",
            name="outcome",
            field=models.CharField(
                choices=[
                    ("recorded", "New message"),
                    ("known", "Known already"),
                    ("applied", "Applied"),
                    ("parked", "Waits for its message"),
                    ("stored", "Kept"),
                    ("quarantined", "Quarantined"),
                ],
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="scheduledmessage",
            name="state",
            field=models.CharField(
                choices=[("waiting", "Waiting"), ("sent", "Sent"), ("refused", "Not sent"), ("cancelled", "Cancelled")],
                default="waiting",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="webhookevent",
            name="state",
            field=models.CharField(
                choices=[("pending", "Waiting"), ("processed", "Processed"), ("quarantined", "Quarantined")],
                default="pending",
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="numbercheck",
            name="inbox",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="number_check", to="conversations.inbox"
            ),
        ),
    ]
