"""What the app does when others announce something: signal receivers, connected by the app's configuration."""

import time
from typing import Any

from allauth.mfa import signals as mfa
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from crm.audit import log
from crm.consent import ledger, past
from crm.contacts import attributes, of_contact, stale, timeline
from crm.contacts.addresses import Given, addresses_given
from crm.contacts.identities import contacts_joining, identities_joined
from crm.contacts.models import ChannelIdentity, Contact, Tag
from crm.contacts.tagging import tags_merged
from crm.exchange import bulk, exporter, importer
from crm.exchange.jobs import handed_out
from crm.foundation import work
from crm.merging import crm_rules, duplicates, merge
from crm.merging import past as merges
from crm.privacy import accesses, holds, requests, schedule, working
from crm.privacy import crm_rules as privacy_rules
from crm.segments import contact_fields, saving
from crm.staff import secondfactor, sessions
from crm.staff.models import User
from crm.staff.signin import SIGNED_IN_AT


@receiver(addresses_given)
def look_up_addresses(given: list[Given], **_: Any) -> None:
    """Whom an address belongs to that is never to be written to has withdrawn."""
    ledger.note_addresses(given)


@receiver(identities_joined)
def join_words(kept: ChannelIdentity, dropped: ChannelIdentity, **_: Any) -> None:
    """What either account said of consent, the one account said."""
    ledger.join_accounts(kept, dropped)


@receiver(contacts_joining)
def join_contacts(kept: Contact, gone: Contact, **_: Any) -> None:
    """Whoever has one account is one person."""
    merge.absorb(kept, gone)


@receiver(tags_merged)
def name_the_kept_tag_in_rules(kept: Tag, dropped: Tag, **_: Any) -> None:
    """Segments that spoke of the tag that is gone speak of the one it became."""
    for field in ("tags", "conversation.tags"):
        saving.replace_value(field, dropped.pk, kept.pk)


@receiver(handed_out)
def note_the_file(user: User, detail: str, **_: Any) -> None:
    """Whoever takes a file with people in it has seen them."""
    accesses.note(user, None, accesses.What.EXPORT, detail=detail)


@receiver(user_logged_in)
def note_the_session(request: HttpRequest, user: Any, **_: Any) -> None:
    """Where somebody is signed in, so that they see it and can end it."""
    request.session[SIGNED_IN_AT] = time.time()
    sessions.begin(request, user)


@receiver(user_logged_out)
def forget_the_session(request: HttpRequest, user: Any, **_: Any) -> None:
    """It is over."""
    if user is not None:
        sessions.forget(request.session.session_key or "")
        log.record("signed_out", user, by=user)


@receiver(mfa.authenticator_added)
def note_a_new_factor(request: HttpRequest, user: Any, authenticator: Any, **_: Any) -> None:
    """An app, a passkey or codes to recover with."""
    secondfactor.changed(request, user, authenticator, "second_factor_added")


@receiver(mfa.authenticator_removed)
def note_a_factor_that_went(request: HttpRequest, user: Any, authenticator: Any, **_: Any) -> None:
    """An app, a passkey or codes to recover with."""
    secondfactor.changed(request, user, authenticator, "second_factor_removed")


@receiver(mfa.authenticator_reset)
def note_new_codes(request: HttpRequest, user: Any, authenticator: Any, **_: Any) -> None:
    """The codes before open nothing any more."""
    secondfactor.changed(request, user, authenticator, "recovery_codes_made")


@receiver(mfa.authenticator_used)
def note_who_it_is(request: HttpRequest, reauthenticated: bool = False, **_: Any) -> None:
    """Somebody signed in has shown again who they are."""
    if reauthenticated:
        request.session[SIGNED_IN_AT] = time.time()
        secondfactor.passed(request)


timeline.register(past.CONSENTS, group="consents", label=gettext_lazy("Consents"))
timeline.register(merges.MERGES)
contact_fields.add()
crm_rules.add()
of_contact.when_missing(merge.refuse)
work.register(attributes.SEARCH, stale.drain)
work.register("duplicates", duplicates.drain)
importer.LINE.register()
bulk.LINE.register()
work.register("exports", exporter.drain)
privacy_rules.add()
schedule.add()
merge.unless(holds.refuse_while_erased)
work.register(requests.DRAIN, working.drain)
