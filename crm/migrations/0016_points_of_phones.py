"""Every contact's phone becomes one of its points, in batches, while others write."""

from django.db import migrations, transaction

from crm.contacts.phones import match_key

ROWS = 2000


def fill(apps, schema_editor):
    contacts, points = apps.get_model("crm", "Contact").objects, apps.get_model("crm", "ContactPoint")
    last = 0
    while True:
        rows = list(contacts.filter(pk__gt=last).exclude(phone=None).order_by("pk").values_list("pk", "phone")[:ROWS])
        if not rows:
            return
        last = rows[-1][0]
        with transaction.atomic():
            kept = points.objects.filter(contact__in=[pk for pk, _phone in rows], kind="phone", until=None)
            known = set(kept.values_list("contact", flat=True))
            points.objects.bulk_create(
                [
                    points(contact_id=pk, kind="phone", value=phone, match_key=match_key(phone), is_primary=True)
                    for pk, phone in rows
                    if pk not in known
                ],
                ignore_conflicts=True,
            )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("crm", "0015_see_addresses")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
