"""Every contact's phone becomes one of its points, and its search column says who may look for what; in batches, while
others write.
"""

from django.db import migrations, transaction

from crm.contacts import searching
from crm.contacts.phones import match_key
from crm.foundation.rows import update_rows

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


def refresh_search(apps, schema_editor):
    contacts, last = apps.get_model("crm", "Contact").objects, 0
    while True:
        with transaction.atomic():
            some = contacts.select_for_update(no_key=True).filter(pk__gt=last).order_by("pk")
            rows = list(some.prefetch_related("identities", "points")[:ROWS])
            if not rows:
                return
            last = rows[-1].pk
            for row in rows:
                values = [point.value for point in row.points.all() if point.until is None]
                row.search_text = searching.text_of(row, row.identities.all(), values)
            update_rows(rows, ["search_text"])


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("crm", "0015_see_addresses")]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunPython(refresh_search, migrations.RunPython.noop),
    ]
