"""A segment's count in the product: its rule read, compiled and counted; by hand; and with joins that multiply."""

import benchmarks.sides.django  # noqa: F401, I001 (first: the models need it)
from collections.abc import Callable
from typing import Any

from django.db import connection

from benchmarks.processes import obey
from benchmarks.sides.timing import timed
from crm.contacts.models import Contact, CustomAttribute, Tag
from crm.segments import counting, rules, saving
from crm.segments.models import Segment
from crm.staff.models import Role, User

# A tag in ten, consent in two, a plan in four, an open conversation or word within 30 days in some.
FILL = """
INSERT INTO crm_contact (kind, name, is_name_confirmed, phone, company, language, attributes, search_text, created_at,
    last_inbound_at)
SELECT 'person', 'Person ' || n, true, '+34600' || lpad(n::text, 7, '0'), '', 'es',
    jsonb_build_object('plan', CASE n %% 4 WHEN 0 THEN 'Plus' ELSE 'Basic' END, 'amount', n %% 1000), 'person ' || n,
    now(), now() - make_interval(days => n %% 365)
FROM generate_series(1, %(people)s) AS n;
INSERT INTO crm_contacttag (contact_id, tag_id, added_at)
SELECT c.id, t.id, now() FROM crm_contact c JOIN crm_tag t ON c.id %% 10 = t.id %% 10 OR c.id %% 7 = t.id %% 7;
INSERT INTO crm_consentevent (contact_id, channel, purpose, state, source, at, recorded_at)
SELECT id, 'whatsapp', 'marketing', CASE id %% 2 WHEN 0 THEN 'granted' ELSE 'withdrawn' END, 'form', now(), now()
FROM crm_contact;
INSERT INTO crm_consent (contact_id, channel, purpose, state, since, event_id)
SELECT contact_id, channel, purpose, state, at, id FROM crm_consentevent;
"""
BY_HAND = """
SELECT count(*) FROM crm_contact c WHERE c.restricted_at IS NULL AND c.kind <> 'group'
AND EXISTS (SELECT 1 FROM crm_contacttag t WHERE t.contact_id = c.id AND t.tag_id = ANY(%(tags)s))
AND EXISTS (SELECT 1 FROM crm_consent s WHERE s.contact_id = c.id AND s.channel = 'whatsapp'
    AND s.purpose = 'marketing' AND s.state = 'granted')
AND c.attributes ->> 'plan' = 'Plus' AND c.last_inbound_at >= now() - interval '90 days'
"""


def fill(people: int) -> None:
    """Contacts with tags, consent and attributes."""
    for number in range(5):
        Tag.objects.create(name=f"tag {number}")
    CustomAttribute.objects.create(key="plan", label="Plan", type="choice", choices=["Plus", "Basic"])
    User.objects.create(email="manager@bench.test", name="Manager", role=Role.MANAGER)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        for statement in FILL.split(";")[:-1]:
            cursor.execute(statement, {"people": people})
        cursor.execute("VACUUM ANALYZE")


def _tags() -> list[int]:
    return list(Tag.objects.order_by("pk").values_list("pk", flat=True)[:2])


def _manager() -> User:
    return User.objects.get(email="manager@bench.test")


def _rule() -> rules.Rule:
    return {
        "all": [
            {"field": "tags", "op": "any", "value": _tags()},
            {"field": "consent.marketing", "op": "any", "value": ["granted"]},
            {"field": "attribute.plan", "op": "any", "value": ["Plus"]},
            {"field": "last_inbound", "op": "past", "value": 90},
        ]
    }


def _product() -> int:
    return rules.contacts(_rule(), _manager()).order_by().count()


def _by_hand() -> int:
    with connection.cursor() as cursor:
        cursor.execute(BY_HAND, {"tags": _tags()})
        found: int = cursor.fetchone()[0]
        return found


def _joins() -> int:
    rows = Contact.objects.filter(restricted_at=None, tags__in=_tags(), attributes__plan="Plus")
    rows = rows.exclude(kind="group").filter(consents__purpose="marketing", consents__state="granted")
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() - interval '90 days'")
        (since,) = cursor.fetchone()
    return rows.filter(last_inbound_at__gte=since).distinct().count()


def count(way: str, rounds: int) -> list[float]:
    """Seconds of each count; raises AssertionError if the ways disagree by more than the clock moves."""
    ways: dict[str, Callable[[], int]] = {"product": _product, "sql": _by_hand, "joins": _joins}
    assert abs(_product() - ways[way]()) <= 1
    return timed(ways[way], rounds, is_warm=True)


def preview(rounds: int) -> list[float]:
    """Seconds of all that the builder shows: count, consent, reply windows, ten samples, sentence."""
    return timed(lambda: counting.preview(_rule(), _manager()), rounds)


def freeze() -> float:
    """Seconds to freeze a segment of everybody."""
    segment = saving.save(Segment(), by=_manager(), name="Everybody", rule={})
    return timed(lambda: saving.freeze(segment, by=_manager(), name="Everybody now"), 1, is_warm=True)[0]


COMMANDS: dict[str, Callable[..., Any]] = {"fill": fill, "count": count, "preview": preview, "freeze": freeze}

if __name__ == "__main__":
    obey(COMMANDS)
