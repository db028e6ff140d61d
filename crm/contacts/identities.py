"""Which account, and so which contact, a webhook speaks of; numbers and ids change, and the order of news is not the
order of events.
"""

import datetime as dt

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.dispatch import Signal

from crm.contacts import phones
from crm.contacts.models import ChannelIdentity, Contact, ContactTag, IdentityValue

identities_joined = Signal()
"""Sent inside the transaction with `kept` and `dropped` before the dropped identity is deleted: re-point what hangs on
it.
"""

GROUP_SUFFIX = "_group"


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
    address, user_id = address.strip()[:64], user_id.strip()[:256]
    if not address and not user_id:
        raise ValueError("neither an address nor a user id")
    try:
        with transaction.atomic():
            identity = _find_or_make(channel, scope, user_id, address, at)
    except IntegrityError:  # somebody else made it a moment ago
        identity = _find_or_make(channel, scope, user_id, address, at)
    _note_seen(identity, at, profile_name.strip()[:200], username.strip()[:100])
    return identity


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
    if identity is not None and identity.first_seen_at > at:
        identity = None  # the number's next owner, seen before this news came
    holder = _holder(channel, scope, field, new, at)
    if holder is not None and holder != identity and holder.first_seen_at < at:
        _retire(holder, field, at)  # who had the new value before this person
        holder = None
    if identity is not None and holder is not None and holder != identity:
        identity = join(identity, holder)
    identity = identity or holder or _create(channel, scope, at)
    if getattr(identity, field) == old or not getattr(identity, field):
        _set(identity, field, new)
        identity.save()
    IdentityValue.objects.create(identity=identity, field=field, value=old, match_key=_key(field, old), until=at)
    _refresh_contact(identity)
    return identity


def join(first: ChannelIdentity, second: ChannelIdentity) -> ChannelIdentity:
    """Two rows turn out to be one account: the older row stays, the contact of the other goes if nothing else hangs on
    it.
    """
    kept, dropped = sorted((first, second), key=lambda identity: identity.pk)
    identities_joined.send(ChannelIdentity, kept=kept, dropped=dropped)
    dropped.former_values.update(identity=kept)
    gone = dropped.contact
    values = {field: getattr(dropped, field) for field in ("wa_id", "match_key", "user_id")}
    newer = dropped.last_seen_at > kept.last_seen_at
    dropped.delete()
    for field, value in values.items():
        if value and (newer or not getattr(kept, field)):
            setattr(kept, field, value)
    if (dropped.profile_at or kept.first_seen_at) > (kept.profile_at or kept.first_seen_at) or not kept.profile_name:
        kept.profile_name, kept.profile_at = dropped.profile_name, dropped.profile_at
        kept.username = dropped.username or kept.username
    kept.first_seen_at = min(kept.first_seen_at, dropped.first_seen_at)
    kept.last_seen_at = max(kept.last_seen_at, dropped.last_seen_at)
    kept.save()
    if gone.pk != kept.contact_id and not gone.identities.exists():
        _absorb(kept.contact, gone)
    _refresh_contact(kept)
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
    return _complete(identity, scope, user_id, address)


def _disagree(identity: ChannelIdentity, scope: str, user_id: str) -> bool:
    """The number's row belongs to another user id: the number has a new owner."""
    former = identity.former_values.filter(field="user_id", value=user_id).exists() if identity.user_id else False
    return bool(identity.user_id and identity.scope == scope and identity.user_id != user_id and not former)


def _hand_over_address(old: ChannelIdentity, new: ChannelIdentity, address: str, at: dt.datetime) -> None:
    if at < old.last_seen_at:  # late news of the previous owner
        IdentityValue.objects.get_or_create(
            identity=new, field="wa_id", value=address, match_key=phones.match_key(address), until=old.first_seen_at
        )
        return
    _retire(old, "wa_id", at)
    if new.wa_id and new.wa_id != address:
        _retire(new, "wa_id", at)
    _set(new, "wa_id", address)
    new.save()
    _refresh_contact(new)


def _complete(identity: ChannelIdentity, scope: str, user_id: str, address: str) -> ChannelIdentity:
    missing_user = user_id and not identity.user_id
    missing_address = address and not identity.wa_id and _current(identity.channel, scope, "wa_id", address) is None
    if missing_user:
        identity.user_id, identity.scope = user_id, scope
    if missing_address:
        _set(identity, "wa_id", address)
    if missing_user or missing_address:
        identity.save()
        _refresh_contact(identity)
    return identity


def _holder(channel: str, scope: str, field: str, value: str, at: dt.datetime) -> ChannelIdentity | None:
    """Who had this value at `at`: a former holder until then, else the present one."""
    former = IdentityValue.objects.filter(
        field=field, match_key=_key(field, value), until__gt=at, identity__channel=channel
    )
    if field == "user_id":
        former = former.filter(identity__scope=scope)
    record = former.select_related("identity__contact").order_by("until").first()
    return record.identity if record else _current(channel, scope, field, value)


def _current(channel: str, scope: str, field: str, value: str) -> ChannelIdentity | None:
    wanted = Q(user_id=value, scope=scope) if field == "user_id" else Q(match_key=_key(field, value))
    return ChannelIdentity.objects.select_related("contact").filter(wanted, channel=channel).first()


def _key(field: str, value: str) -> str:
    return phones.match_key(value) if field == "wa_id" else value


def _create(channel: str, scope: str, at: dt.datetime, *, user_id: str = "", address: str = "") -> ChannelIdentity:
    kind = Contact.Kind.GROUP if channel.endswith(GROUP_SUFFIX) else Contact.Kind.PERSON
    contact = Contact.objects.create(kind=kind, phone=phones.e164(address))
    identity = ChannelIdentity(
        contact=contact, channel=channel, scope=scope, user_id=user_id or None, first_seen_at=at, last_seen_at=at
    )
    if address:
        _set(identity, "wa_id", address)
    identity.save()
    _refresh_contact(identity)
    return identity


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
        _refresh_contact(identity)


def _note_seen(identity: ChannelIdentity, at: dt.datetime, profile_name: str, username: str) -> None:
    fields: list[str] = []
    if at > identity.last_seen_at:
        identity.last_seen_at = at
        fields.append("last_seen_at")
    if at < identity.first_seen_at:
        identity.first_seen_at = at
        fields.append("first_seen_at")
    if (profile_name or username) and (identity.profile_at is None or at >= identity.profile_at):
        changed = (profile_name or identity.profile_name, username or identity.username) != (
            identity.profile_name,
            identity.username,
        )
        identity.profile_name = profile_name or identity.profile_name
        identity.username = username or identity.username
        identity.profile_at = at
        fields += ["profile_name", "username", "profile_at"]
        if changed:
            identity.save(update_fields=fields)
            _refresh_contact(identity)
            return
    if fields:
        identity.save(update_fields=fields)


def _refresh_contact(identity: ChannelIdentity) -> None:
    """Carry number and profile name over to the contact, unless a person has written the name."""
    contact = identity.contact
    if not contact.is_name_confirmed and identity.profile_name:
        contact.name = identity.profile_name
    if identity.wa_id:
        contact.phone = phones.e164(identity.wa_id)
    contact.refresh_search_text()
    contact.save(update_fields=["name", "phone", "search_text"])


def _absorb(kept: Contact, gone: Contact) -> None:
    for link in gone.contact_tags.all():
        ContactTag.objects.get_or_create(
            contact=kept, tag_id=link.tag_id, defaults={"added_by_id": link.added_by_id, "added_at": link.added_at}
        )
    if gone.is_name_confirmed and not kept.is_name_confirmed:
        kept.name, kept.is_name_confirmed = gone.name, True
    kept.created_at = min(kept.created_at, gone.created_at)
    if gone.last_inbound_at and (kept.last_inbound_at is None or gone.last_inbound_at > kept.last_inbound_at):
        kept.last_inbound_at = gone.last_inbound_at
    kept.save()
    gone.delete()
