"""Making, changing, freezing and deleting segments; each recorded in the audit log."""

from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from crm.audit import log
from crm.foundation import clock
from crm.foundation.errors import Conflict, Refusal
from crm.foundation.limited import TookTooLong, at_most
from crm.foundation.retrying import in_transaction
from crm.foundation.text import clean_text
from crm.segments import rules
from crm.segments.models import Segment, SegmentMember
from crm.staff.models import User

NAME_MAX = 100
DESCRIPTION_MAX = 300
MOST = 500
FREEZING_SECONDS = 25.0  # a million contacts take twelve


class SegmentRefused(Refusal):
    """A segment that cannot be; `field` in `extra` says of which part the sentence speaks."""

    code = "invalid"
    http_status = 422


@in_transaction
def save(segment: Segment, *, by: User, version: int | None = None, **values: Any) -> Segment:
    """Create or change a segment: `values` of name, description, rule. Raises SegmentRefused, BrokenRule, or Conflict
    if it is no longer at `version`.
    """
    is_new = segment.pk is None
    row = segment if is_new else Segment.objects.select_for_update(no_key=True).get(pk=segment.pk)
    if not is_new and version is not None and version != row.version:
        raise Conflict(
            _("Somebody else has just changed this segment. Read it again and repeat your change."), version=row.version
        )
    check_room(row)
    before = {} if is_new else log.snapshot(row)
    if "name" in values or is_new:
        row.name = name_of(row, values.get("name", ""))
    if "description" in values:
        row.description = " ".join(clean_text(values["description"]).split())[:DESCRIPTION_MAX]
    if "rule" in values and values["rule"] != row.rule:
        if row.is_static:
            raise SegmentRefused(_("A frozen segment stays as it is. Make a new one."), field="rule")
        row.rule = rules.read(values["rule"]).as_json()
    elif is_new:
        row.rule = rules.read(row.rule).as_json()
    changes = log.difference(before, log.snapshot(row))
    if is_new:
        row.created_by = by
    if is_new or changes:
        row.version = row.version if is_new else row.version + 1
        row.updated_at = clock.now()
        _store(row)
        log.record("created" if is_new else "changed", row, by=by, changes=changes)
    return row


@in_transaction
def freeze(segment: Segment, *, by: User, name: str) -> Segment:
    """A static segment of those who are in this one now, in one statement; raises SegmentRefused, BrokenRule."""
    source = Segment.objects.get(pk=segment.pk)
    frozen = Segment(description=source.description, rule=source.rule, is_static=True, created_by=by)
    check_room(frozen)
    frozen.name = name_of(frozen, name)
    found = rules.members(source, by).order_by().values_list("pk")
    sql, parameters = found.query.sql_with_params()
    _store(frozen)
    table = connection.ops.quote_name(SegmentMember._meta.db_table)
    try:
        with at_most(FREEZING_SECONDS), connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} (segment_id, contact_id) SELECT %s, found.pk FROM ({sql}) AS found",
                [frozen.pk, *parameters],
            )
            number = cursor.rowcount
    except TookTooLong as error:
        sentence = _("Freezing takes too long now. Try again when there is less to do, or narrow the rule.")
        raise SegmentRefused(sentence, field="name") from error
    log.record("frozen", frozen, by=by, changes={"segment": [None, source.name], "members": [None, number]})
    return frozen


@in_transaction
def delete(segment: Segment, *, by: User) -> None:
    """Delete a segment; the contacts stay."""
    log.record("deleted", segment, by=by, changes=log.difference(log.snapshot(segment), {}))
    segment.delete()


@in_transaction
def replace_value(field: str, old: Any, new: Any) -> int:
    """Each rule that names `old` in `field` names `new` from now on (two tags became one); how many changed."""
    changed = 0
    for segment in Segment.objects.select_for_update(no_key=True).order_by("pk"):
        rule = _replaced(segment.rule, field, old, new)
        if rule != segment.rule:
            changes = {"rule": [segment.rule, rule]}
            segment.rule, segment.version, segment.updated_at = rule, segment.version + 1, clock.now()
            segment.save(update_fields=["rule", "version", "updated_at"])
            log.record("changed", segment, changes=changes)
            changed += 1
    return changed


def check_room(segment: Segment) -> None:
    """Raises SegmentRefused if this one would be one too many."""
    if segment._state.adding and Segment.objects.count() >= MOST:
        raise SegmentRefused(_("There are already %(most)d segments. Delete one first.") % {"most": MOST}, field="name")


def name_of(segment: Segment, text: Any) -> str:
    """The name as it is kept, in one line; raises SegmentRefused for none, too long, or one that another has."""
    name = " ".join(clean_text(text).split())
    if not name:
        raise SegmentRefused(_("Give the segment a name."), field="name")
    if len(name) > NAME_MAX:
        raise SegmentRefused(_("This is too long: %(most)d characters at most.") % {"most": NAME_MAX}, field="name")
    others = Segment.objects.exclude(pk=segment.pk).values_list("name", flat=True)
    if name.casefold() in {other.casefold() for other in others}:
        raise _taken(name)
    return name


def _store(segment: Segment) -> None:
    try:
        with transaction.atomic():
            segment.save()
    except IntegrityError:  # somebody else takes the name at this moment
        raise _taken(segment.name) from None


def _taken(name: str) -> SegmentRefused:
    return SegmentRefused(
        _("There is already a segment “%(name)s”. Choose another name.") % {"name": name}, field="name"
    )


def _replaced(rule: Any, field: str, old: Any, new: Any) -> Any:
    group = rules.parts_of(rule)
    if group:
        mode, rows = group
        return {mode: [_replaced(row, field, old, new) for row in rows]}
    if not isinstance(rule, dict) or rule.get("field") != field or not isinstance(rule.get("value"), list):
        return rule
    return rule | {"value": list(dict.fromkeys(new if one == old else one for one in rule["value"]))}
