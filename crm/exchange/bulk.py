"""One change to every contact of a selection, a few at a time, in the background."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from crm.audit import log as audit
from crm.contacts import profile, reading, tagging
from crm.contacts.attributes import InvalidValue
from crm.contacts.models import Contact, LifecycleStage, Tag
from crm.exchange import jobs, selection
from crm.exchange.models import BulkJob
from crm.staff.models import User

PERMISSION = "crm.add_bulkjob"
READ_AT_ONCE = 2000
Action = BulkJob.Action

type Change = Callable[[list[int], User], int]


@transaction.atomic
def start(chosen: dict[str, Any], action: str, value: Mapping[str, Any], *, by: User) -> BulkJob:
    """Have `action` done to these contacts: `value` holds `tag` and `reason`, `stage` or `owner` (ids; no stage, no
    owner: none). Raises InvalidValue, NoSelection.
    """
    kept = {name: value.get(name) for name in ("tag", "stage", "owner") if value.get(name)}
    kept["reason"] = reading.line(str(value.get("reason") or ""), profile.REASON_MAX)
    total = selection.contacts(chosen, by).count()
    job = BulkJob(selection=chosen, action=Action(action), value=kept, created_by=by, total=total)
    _change_of(job)
    job.state = BulkJob.State.QUEUED
    job.save()
    audit.record("bulk_change", job, by=by, changes={"action": [None, str(job.action)], "contacts": [None, total]})
    LINE.ring()
    return job


def in_words(job: BulkJob) -> str:
    """What it does, with the name of what it puts or takes."""
    value = job.value
    named: Any = None
    if "tag" in value:
        named = Tag.objects.filter(pk=value["tag"]).first()
    elif "stage" in value:
        named = LifecycleStage.objects.filter(pk=value["stage"]).first()
    elif "owner" in value:
        named = User.objects.filter(pk=value["owner"]).first()
    return f"{job.get_action_display()}: {named if named is not None else '—'}"


def steps(job: BulkJob) -> Iterator[None]:
    """What the drain does, in the order of the contacts' keys."""
    by = jobs.maker_of(job, PERMISSION)
    change = _change_of(job)
    chosen = selection.contacts(job.selection, by)
    while keys := list(chosen.filter(pk__gt=job.last_pk).values_list("pk", flat=True)[:READ_AT_ONCE]):
        for some in itertools.batched(keys, _at_once(job)):
            with transaction.atomic():
                changed = change(list(some), by)
                jobs.advance(job, done=job.done + len(some), changed=job.changed + changed, last_pk=some[-1])
            yield
    jobs.done(job)


def _at_once(job: BulkJob) -> int:
    is_tag = job.action in (Action.ADD_TAG, Action.REMOVE_TAG)
    if connection.vendor == "postgresql":
        return tagging.AT_ONCE if is_tag else 20
    return 10 if is_tag else 5


def _change_of(job: BulkJob) -> Change:
    """The change, of what is still there; raises InvalidValue."""
    if job.action in (Action.ADD_TAG, Action.REMOVE_TAG):
        tag = Tag.objects.filter(pk=job.value.get("tag")).first()
        if tag is None:
            raise InvalidValue(_("Choose a tag that is still there."), field="tag")
        return _tagging(tag, job)
    if job.action == Action.SET_STAGE:
        stage = LifecycleStage.objects.filter(pk=job.value.get("stage")).first()
        if stage is None and job.value.get("stage"):
            raise InvalidValue(_("Choose a stage that is still there."), field="stage")
        return _writing(stage=stage)
    owner = User.objects.filter(pk=job.value.get("owner"), is_active=True).first()
    if owner is None and job.value.get("owner"):
        raise InvalidValue(_("There is no such user. Choose somebody who works here."), field="owner")
    return _writing(owner=owner)


def _tagging(tag: Tag, job: BulkJob) -> Change:
    asked = {"add": [tag]} if job.action == Action.ADD_TAG else {"remove": [tag]}
    reason = job.value.get("reason", "")
    return lambda keys, by: tagging.change(Contact.objects.filter(pk__in=keys), by=by, reason=reason, **asked)


def _writing(**values: Any) -> Change:
    """By the same function as a person's change; who has it so already, or is restricted, stays as they are."""

    def change(keys: list[int], by: User) -> int:
        rows = Contact.objects.filter(pk__in=keys, restricted_at=None).exclude(**values)
        changed = 0
        for contact in rows.order_by("pk"):
            profile.write(contact, by=by, **values)
            changed += 1
        return changed

    return change


LINE = jobs.Line("bulk", BulkJob, steps)
