"""Rows for tests, valid by default; what a message does to its conversation comes from the real path, not from here."""

import datetime as dt
import functools

import factory
from django.contrib.auth.hashers import make_password
from factory.django import DjangoModelFactory

from conversations.inboxes.models import AppSecret, Inbox, WhatsAppAccount
from conversations.messaging.models import Conversation, Message
from crm.contacts import points
from crm.contacts.models import ChannelIdentity, Contact, Tag
from crm.contacts.phones import match_key
from crm.foundation import clock
from crm.staff.models import Role, Team, User

PASSWORD = "correct-horse-battery"

hashed = functools.cache(make_password)


class TeamFactory(DjangoModelFactory):
    class Meta:
        model = Team

    name = factory.Sequence(lambda n: f"Team {n}")


class UserFactory(DjangoModelFactory):
    """An agent whose password is PASSWORD; `teams=[…]` makes memberships."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    class Params:
        manager = factory.Trait(role=Role.MANAGER)
        restricted = factory.Trait(role=Role.RESTRICTED)
        integrator = factory.Trait(role=Role.INTEGRATOR)

    email = factory.Sequence(lambda n: f"user{n}@example.test")
    name = factory.Sequence(lambda n: f"User {n}")
    role = Role.AGENT
    language = "en"
    password = factory.LazyFunction(lambda: hashed(PASSWORD))

    @factory.post_generation
    def teams(self, create, extracted, **kwargs):
        if create and extracted:
            self.teams.set(extracted)


class ContactFactory(DjangoModelFactory):
    class Meta:
        model = Contact

    name = factory.Sequence(lambda n: f"Person {n}")
    is_name_confirmed = True
    phone = factory.Sequence(lambda n: f"+34600{n:06d}")

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        contact = model_class(*args, **kwargs)
        contact.refresh_search_text()
        contact.save()
        points.keep(contact)
        return contact


class TagFactory(DjangoModelFactory):
    class Meta:
        model = Tag

    name = factory.Sequence(lambda n: f"tag {n}")


class IdentityFactory(DjangoModelFactory):
    """A WhatsApp account with the number of its contact."""

    class Meta:
        model = ChannelIdentity

    contact = factory.SubFactory(ContactFactory)
    channel = "whatsapp"
    scope = "portfolio"
    wa_id = factory.LazyAttribute(lambda o: (o.contact.phone or "").lstrip("+") or None)
    match_key = factory.LazyAttribute(lambda o: match_key(o.wa_id) if o.wa_id else None)
    first_seen_at = factory.LazyFunction(clock.now)
    last_seen_at = factory.SelfAttribute("first_seen_at")


class AccountFactory(DjangoModelFactory):
    """A WABA with one active app secret (`app_secret="…"` to choose it)."""

    class Meta:
        model = WhatsAppAccount
        skip_postgeneration_save = True

    name = factory.Sequence(lambda n: f"Account {n}")
    waba_id = factory.Sequence(lambda n: f"1000{n}")
    portfolio_id = "portfolio"
    access_token = "access-token"

    @factory.post_generation
    def app_secret(self, create, extracted, **kwargs):
        if create:
            AppSecret.objects.create(account=self, secret=extracted or "app-secret")


class InboxFactory(DjangoModelFactory):
    """A number; `teams=[…]` opens it to them."""

    class Meta:
        model = Inbox
        skip_postgeneration_save = True

    account = factory.SubFactory(AccountFactory)
    name = factory.Sequence(lambda n: f"Number {n}")
    phone_number_id = factory.Sequence(lambda n: f"2000{n}")
    display_phone_number = factory.Sequence(lambda n: f"+34 910 {n:06d}")

    @factory.post_generation
    def teams(self, create, extracted, **kwargs):
        if create and extracted:
            self.teams.set(extracted)


class ConversationFactory(DjangoModelFactory):
    """Open, unassigned, its window open for 20 hours (`closed=True`: since an hour ago closed)."""

    class Meta:
        model = Conversation

    class Params:
        closed = factory.Trait(window_expires_at=factory.LazyFunction(lambda: clock.now() - dt.timedelta(hours=1)))

    inbox = factory.SubFactory(InboxFactory)
    identity = factory.SubFactory(IdentityFactory)
    contact = factory.SelfAttribute("identity.contact")
    window_expires_at = factory.LazyFunction(lambda: clock.now() + dt.timedelta(hours=20))


class MessageFactory(DjangoModelFactory):
    """An inbound text (`outbound=True`: one an agent sent, delivered; `note=True`: a private note)."""

    class Meta:
        model = Message

    class Params:
        outbound = factory.Trait(
            direction=Message.Direction.OUTBOUND, status=Message.Status.DELIVERED, author_kind=Message.Author.AGENT
        )
        note = factory.Trait(direction=Message.Direction.NOTE, author_kind=Message.Author.AGENT, external_id=None)

    conversation = factory.SubFactory(ConversationFactory)
    inbox = factory.SelfAttribute("conversation.inbox")
    external_id = factory.Sequence(lambda n: f"wamid.{n}")
    direction = Message.Direction.INBOUND
    status = Message.Status.RECEIVED
    author_kind = Message.Author.CONTACT
    text = factory.Sequence(lambda n: f"Message {n}")
    sort_at = factory.LazyFunction(clock.now)
    created_at = factory.SelfAttribute("sort_at")
