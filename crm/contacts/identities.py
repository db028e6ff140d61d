"""Which account, and so which contact, a webhook speaks of; numbers and ids change, and the order of news is not the
order of events.
"""

import datetime as dt
from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.dispatch import Signal

from crm.audit import log
from crm.contacts import phones
from crm.contacts.models import ChannelIdentity, Contact, IdentityValue
from crm.foundation.repointing import repoint

identities_joined = Signal()
"""Sent inside the transaction with `kept` and `dropped` before the dropped identity is deleted: re-point what hangs on
it.
"""

identity_divided = Signal()
"""Sent inside the transaction with `kept`, `heir` and `since`: what `kept` seemed to do from then on was the heir's."""

GROUP_SUFFIX = "_group"
SEEN = ("first_seen_at", "last_seen_at", "number_seen_at", "profile_name", "username", "profile_at")


def resolve(
    channel: str,
    *,
    scope: str,
    at: dt.datetime,
    user_id: str = "",
    address: str = "",
    profile_name: str = "",
    username: str = "",
) -> ChannelIdentity:
    """The account that `user_id` and/or `address` meant at the time `at`; made, completed or joined as needed.

    Raises ValueError without both. Run inside a transaction; a lost race is resolved by looking again.
    """
    user_id, address = clean(user_id, address)
    if not address and not user_id:
        raise ValueError("neither an address nor a user id")
    try:
        with transaction.atomic():
            identity = _find_or_make(channel, scope, user_id, address, at)
    except IntegrityError:  # somebody else made it a moment ago
        identity = _find_or_make(channel, scope, user_id, address, at)
    changed = note_seen(identity, at, profile_name, username, by_number=not user_id)
    if changed:
        identity.save(update_fields=changed)
    if "profile_name" in changed or "username" in changed:
        refresh_contact(identity)
    return identity


def are_known(channel: str, scope: str, ids: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those pairs of user id and match key of which at least one has an account."""
    pairs = set(ids)
    users, keys = ({one for one in column if one} for column in zip(*pairs, strict=True)) if pairs else ((), ())
    rows = ChannelIdentity.objects.filter(channel=channel)
    rows = rows.filter(Q(scope=scope, user_id__in=users) | Q(match_key__in=keys))
    known = {one for row in rows.values_list("user_id", "match_key") for one in row if one}
    return {pair for pair in pairs if known.intersection(pair)}


def clean(user_id: str, address: str) -> tuple[str, str]:
    """Both ids as they are stored."""
    return user_id.strip()[:256], address.strip()[:64]


def change(channel: str, *, scope: str, field: str, old: str, new: str, at: dt.datetime) -> ChannelIdentity:
    """WhatsApp announced that `old` became `new` at `at` (`field`: wa_id or user_id). Applying it twice or late
    changes nothing.
    """
    known = IdentityValue.objects.filter(
        field=field, match_key=_key(field, old), until=at, identity__channel=channel
    ).select_related("identity")
    if record := known.first():
        return record.identity
    identity = _current(channel, scope, field, old)
    passes_on = field == "wa_id"  # numbers get new owners, user ids never
    if passes_on and identity is not None and identity.first_seen_at >= at:
        identity = None  # the number's next owner, seen before this news came
    elif passes_on and identity is not None and identity.number_seen_at and identity.number_seen_at >= at:
        _divide(identity, at)
    holder = _holder(channel, scope, field, new, at)
    if holder is not None and holder.former_values.filter(field=field, match_key=_key(field, old)).exists():
        identity = identity or holder  # known to have changed, before the news
    if passes_on and holder is not None and holder != identity and holder.first_seen_at < at:
        _retire(holder, field, at)  # who had the new value before this person
        holder = None
    if identity is not None and holder is not None and holder != identity:
        identity = join(identity, holder)
    identity = identity or holder or _create(channel, scope, at)
    if getattr(identity, field) == old or not getattr(identity, field):
        _set(identity, field, new)
        identity.save()
    _note_former(identity, field, old, at)
    refresh_contact(identity)
    return identity


def join(first: ChannelIdentity, second: ChannelIdentity) -> ChannelIdentity:
    """Two rows turn out to be one account: the older row stays, the contact of the other goes if nothing else hangs on
    it.
    """
    kept, dropped = sorted((first, second), key=lambda identity: identity.pk)
    identities_joined.send(ChannelIdentity, kept=kept, dropped=dropped)
    _inherit_former_values(kept, dropped)
    gone = dropped.contact
    newer = dropped.last_seen_at > kept.last_seen_at
    for field in ("wa_id", "user_id"):
        older, newest = (kept, dropped) if newer else (dropped, kept)
        value = getattr(older, field)
        if value and getattr(newest, field):
            _note_former(kept, field, value, max(newest.first_seen_at, older.last_seen_at))
    dropped.delete()
    if dropped.wa_id and (newer or not kept.wa_id):
        kept.wa_id, kept.match_key = dropped.wa_id, dropped.match_key
    if dropped.user_id and (newer or not kept.user_id):
        kept.user_id, kept.scope = dropped.user_id, dropped.scope
    _take_profile(kept, dropped.profile_name, dropped.username, dropped.profile_at)
    kept.first_seen_at = min(kept.first_seen_at, dropped.first_seen_at)
    kept.last_seen_at = max(kept.last_seen_at, dropped.last_seen_at)
    sightings = [at for at in (kept.number_seen_at, dropped.number_seen_at) if at]
    kept.number_seen_at = max(sightings) if sightings else None
    kept.save()
    # What it still has did not pass on: it only went from one of the two rows to the other.
    kept.former_values.filter(
        Q(field="wa_id", match_key=kept.match_key or "") | Q(field="user_id", value=kept.user_id or "")
    ).delete()
    if gone.pk != kept.contact_id and not gone.identities.exists():
        _absorb(kept.contact, gone)
    refresh_contact(kept)
    return kept


def _find_or_make(channel: str, scope: str, user_id: str, address: str, at: dt.datetime) -> ChannelIdentity:
    by_user = _holder(channel, scope, "user_id", user_id, at) if user_id else None
    by_address = _holder(channel, scope, "wa_id", address, at) if address else None
    if by_user and by_address and by_user != by_address:
        if _disagree(by_address, scope, user_id):
            _hand_over_address(by_address, by_user, address, at)
            return by_user
        return join(by_user, by_address)
    identity = by_user or by_address
    if identity is None:
        return _create(channel, scope, at, user_id=user_id, address=address)
    if by_address and user_id and _disagree(by_address, scope, user_id):
        newcomer = _create(channel, scope, at, user_id=user_id)
        _hand_over_address(by_address, newcomer, address, at)
        return newcomer
    if by_user and address and by_address is None and identity.wa_id:
        _change_silently(identity, address, at)
    return _complete(identity, scope, user_id, address)


def _change_silently(identity: ChannelIdentity, address: str, at: dt.datetime) -> None:
    """The same person with another number, before (or without) the news of the change."""
    if at >= identity.last_seen_at:
        _retire(identity, "wa_id", at)
    else:
        _note_former(identity, "wa_id", address, identity.last_seen_at)


def _disagree(identity: ChannelIdentity, scope: str, user_id: str) -> bool:
    """The number's row belongs to another user id: the number has a new owner."""
    former = identity.former_values.filter(field="user_id", value=user_id).exists() if identity.user_id else False
    return bool(identity.user_id and identity.scope == scope and identity.user_id != user_id and not former)


def _hand_over_address(old: ChannelIdentity, new: ChannelIdentity, address: str, at: dt.datetime) -> None:
    key = phones.match_key(address)
    held = old.former_values.filter(field="wa_id", match_key=key, until__gt=at).order_by("until").first()
    if held is not None:  # known already, but it was earlier
        held.until = at
        held.save(update_fields=["until"])
        return
    if at < old.last_seen_at:  # late news of the previous owner
        IdentityValue.objects.get_or_create(
            identity=new, field="wa_id", value=address, match_key=key, until=old.first_seen_at
        )
        return
    _retire(old, "wa_id", at)
    if new.wa_id and new.wa_id != address:
        _retire(new, "wa_id", at)
    _set(new, "wa_id", address)
    new.save()
    refresh_contact(new)


def _complete(identity: ChannelIdentity, scope: str, user_id: str, address: str) -> ChannelIdentity:
    missing_user = user_id and not identity.user_id
    missing_address = address and not identity.wa_id and _current(identity.channel, scope, "wa_id", address) is None
    if missing_user:
        identity.user_id, identity.scope = user_id, scope
    if missing_address:
        _set(identity, "wa_id", address)
    if missing_user or missing_address:
        identity.save()
        refresh_contact(identity)
    return identity


def _holder(channel: str, scope: str, field: str, value: str, at: dt.datetime) -> ChannelIdentity | None:
    """Who had this value at `at`: a former holder until then, else the present one; a user id is for ever one's own."""
    former = IdentityValue.objects.filter(field=field, match_key=_key(field, value), identity__channel=channel)
    former = former.filter(identity__scope=scope) if field == "user_id" else former.filter(until__gt=at)
    record = former.select_related("identity__contact").order_by("until").first()
    return record.identity if record else _current(channel, scope, field, value)


def _current(channel: str, scope: str, field: str, value: str) -> ChannelIdentity | None:
    wanted = Q(user_id=value, scope=scope) if field == "user_id" else Q(match_key=_key(field, value))
    return ChannelIdentity.objects.select_related("contact").filter(wanted, channel=channel).first()


def _key(field: str, value: str) -> str:
    return phones.match_key(value) if field == "wa_id" else value


def _create(channel: str, scope: str, at: dt.datetime, *, user_id: str = "", address: str = "") -> ChannelIdentity:
    identity = draft(channel, scope, at, user_id, address)
    awaited = _awaited(address)
    if awaited is None:
        identity.contact.save()
    identity.contact = awaited or identity.contact
    identity.save()
    refresh_contact(identity)
    return identity


def draft(channel: str, scope: str, at: dt.datetime, user_id: str, address: str) -> ChannelIdentity:
    """A new account with its new contact, neither saved."""
    kind = Contact.Kind.GROUP if channel.endswith(GROUP_SUFFIX) else Contact.Kind.PERSON
    contact = Contact(kind=kind, phone=phones.e164(address))
    identity = ChannelIdentity(
        contact=contact, channel=channel, scope=scope, user_id=user_id or None, first_seen_at=at, last_seen_at=at
    )
    if address:
        _set(identity, "wa_id", address)
    return identity


def _awaited(address: str) -> Contact | None:
    """A contact that staff or an integrator entered with this number, before the person ever wrote."""
    phone = phones.e164(address)
    return Contact.objects.filter(phone=phone, identities=None).order_by("pk").first() if phone else None


def _set(identity: ChannelIdentity, field: str, value: str | None) -> None:
    setattr(identity, field, value)
    if field == "wa_id":
        identity.match_key = phones.match_key(value) if value else None


def _retire(identity: ChannelIdentity, field: str, at: dt.datetime) -> None:
    """The account no longer has this value."""
    value = getattr(identity, field)
    if value:
        IdentityValue.objects.get_or_create(
            identity=identity, field=field, value=value, match_key=_key(field, value), until=at
        )
        _set(identity, field, None)
        identity.save()
        if field == "wa_id":
            Contact.objects.filter(pk=identity.contact_id, phone=phones.e164(value)).update(phone=None)
        refresh_contact(identity)


def _note_former(identity: ChannelIdentity, field: str, value: str, at: dt.datetime) -> None:
    """Until `at` the account had this value; news of a later time knew it less well."""
    key = _key(field, value)
    later = identity.former_values.filter(field=field, match_key=key, until__gte=at).order_by("until").first()
    record = later or IdentityValue(identity=identity, field=field, value=value, match_key=key)
    record.until = at
    record.save()


def _divide(identity: ChannelIdentity, at: dt.datetime) -> None:
    """The account was seen by a number after it had lost it: that was the number's next owner."""
    address = identity.wa_id or ""
    _set(identity, "wa_id", None)
    last_seen_at, identity.last_seen_at = identity.last_seen_at, at
    number_seen_at, identity.number_seen_at = identity.number_seen_at, None
    profile = (identity.profile_name, identity.username, identity.profile_at)
    identity.profile_at = identity.profile_at and min(identity.profile_at, identity.first_seen_at)
    identity.save()
    heir = _create(identity.channel, identity.scope, at, address=address)
    heir.last_seen_at, heir.number_seen_at = last_seen_at, number_seen_at
    _take_profile(heir, *profile)
    heir.save()
    refresh_contact(heir)
    identity_divided.send(ChannelIdentity, kept=identity, heir=heir, since=at)


def _inherit_former_values(kept: ChannelIdentity, dropped: ChannelIdentity) -> None:
    for record in dropped.former_values.all():
        if kept.former_values.filter(field=record.field, value=record.value, until=record.until).exists():
            continue
        record.identity = kept
        record.save(update_fields=["identity"])


def _take_profile(identity: ChannelIdentity, name: str, username: str, at: dt.datetime | None) -> None:
    """The newest name and username win; older ones only fill what is missing."""
    if at is not None and (identity.profile_at is None or at >= identity.profile_at):
        identity.profile_name, identity.username = name or identity.profile_name, username or identity.username
        identity.profile_at = at
    else:
        identity.profile_name, identity.username = identity.profile_name or name, identity.username or username


def note_seen(
    identity: ChannelIdentity, at: dt.datetime, profile_name: str, username: str, *, by_number: bool
) -> list[str]:
    """Note when the account was seen and what it called itself; saves nothing, returns the fields that changed."""
    before = {field: getattr(identity, field) for field in SEEN}
    identity.first_seen_at = min(identity.first_seen_at, at)
    identity.last_seen_at = max(identity.last_seen_at, at)
    if by_number:
        identity.number_seen_at = max(identity.number_seen_at or at, at)
    profile_name, username = profile_name.strip()[:200], username.strip()[:100]
    if profile_name or username:
        _take_profile(identity, profile_name, username, at)
    return [field for field in SEEN if getattr(identity, field) != before[field]]


def refresh_contact(identity: ChannelIdentity) -> None:
    """Carry number and profile name over to the contact, unless a person has written the name."""
    contact = Contact.objects.select_for_update(no_key=True).get(pk=identity.contact_id)
    identity.contact = contact
    if not contact.is_name_confirmed and identity.profile_name:
        contact.name = identity.profile_name
    number = phones.e164(identity.wa_id) if identity.wa_id else contact.phone
    if number != contact.phone and not _is_written(contact):
        contact.phone = number
    contact.refresh_search_text()
    contact.save(update_fields=["name", "phone", "search_text"])


def _is_written(contact: Contact) -> bool:
    """The phone is one that staff wrote over the account's number."""
    if not contact.phone:
        return False
    last = contact.changes.filter(field="phone").order_by("-created_at", "-pk").first()
    return last is not None and last.after == contact.phone


def _absorb(kept: Contact, gone: Contact) -> None:
    before = log.snapshot(kept)
    log.record("merged", gone, changes={"merged_into": [None, kept.pk]})
    repoint(gone, kept)
    kept.company, kept.language = kept.company or gone.company, kept.language or gone.language
    kept.attributes = gone.attributes | kept.attributes
    kept.version = max(kept.version, gone.version) + 1
    if gone.is_name_confirmed and not kept.is_name_confirmed:
        kept.name, kept.is_name_confirmed = gone.name, True
    kept.created_at = min(kept.created_at, gone.created_at)
    if gone.last_inbound_at and (kept.last_inbound_at is None or gone.last_inbound_at > kept.last_inbound_at):
        kept.last_inbound_at = gone.last_inbound_at
    kept.save()
    log.record("merged", kept, changes=log.difference(before, log.snapshot(kept)) | {log.ABSORBED: [None, gone.pk]})
    gone.delete()
