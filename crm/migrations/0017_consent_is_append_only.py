"""The database itself refuses to change or delete what is in the consent ledger; two more choices.

Open to erasure only (`crm.consent.ledger.opened`). What may move is whose an event is: contacts and accounts are joined,
and users deleted. Whoever rebuilds the table on SQLite must put the triggers in again; a test says so.
"""

from django.db import migrations, models

from crm.foundation.appendonly import Guard

GUARD = Guard(
    table="crm_consentevent",
    door="consent ledger",
    fixed=(
        "id", "channel", "purpose", "state", "source", "wording", "wording_version", "language", "evidence", "at",
        "recorded_at",
    ),
    moving=("contact_id", "identity_id"),
    fading=("by_id",),
)  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("crm", "0016_points_of_phones")]

    operations = [
        migrations.AlterField(
            "consentevent",
            "source",
            models.CharField(
                choices=[
                    ("keyword", "Word in a message"), ("button", "Button in a message"), ("form", "Form"),
                    ("agent", "Agent"), ("import", "Import"), ("api", "API"), ("whatsapp", "Setting in WhatsApp"),
                    ("provider", "Refused by WhatsApp"), ("merge", "Merge"), ("suppressed", "Suppression list"),
                ],
                max_length=10,
                verbose_name="source",
            ),
        ),  # fmt: skip
        migrations.AlterField(
            "optoutword",
            "meaning",
            models.CharField(
                choices=[
                    ("stop", "Stops marketing"), ("start", "Starts marketing again"),
                    ("ask", "Ambiguous: asks with two buttons"),
                    ("nothing", "Means nothing, whatever we come with"),
                ],
                max_length=10,
                verbose_name="meaning",
            ),
        ),  # fmt: skip
        migrations.RemoveConstraint("optoutword", "optoutword_meaning_is_known"),
        migrations.AddConstraint(
            "optoutword",
            models.CheckConstraint(
                condition=models.Q(("meaning__in", ["stop", "start", "ask", "nothing"])),
                name="optoutword_meaning_is_known",
            ),
        ),
        migrations.RunPython(
            lambda apps, schema_editor: GUARD.put(schema_editor),
            lambda apps, schema_editor: GUARD.take(schema_editor),
        ),
    ]
