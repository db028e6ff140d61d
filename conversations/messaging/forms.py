"""The shapes of conversations and messages in the API: requests, checked for type, range and size, and answers."""

import math
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from conversations.channels.whatsapp import codes
from conversations.messaging.models import Attachment, Conversation, Message
from conversations.messaging.state_forms import IdField, PriorityField
from crm.contacts.models import Tag

CARDS_MAX = 50
PARTS_MAX = 20
EMOJI_MAX = 32
PARAMETERS_MAX = 50
ERROR_STATUSES = ("failed", "unknown", "queued")


class Degrees(serializers.FloatField):
    """A finite number."""

    def to_internal_value(self, data: Any) -> float:
        """Refuses what JSON cannot say again."""
        value = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class LocationBody(serializers.Serializer[Any]):
    """A place on the map."""

    latitude = Degrees(min_value=-90, max_value=90)
    longitude = Degrees(min_value=-180, max_value=180)
    name = serializers.CharField(max_length=1000, required=False, allow_blank=True)
    address = serializers.CharField(max_length=1000, required=False, allow_blank=True)


class CardName(serializers.Serializer[Any]):
    """WhatsApp wants the full name and at least one part of it."""

    formatted_name = serializers.CharField(max_length=200)
    first_name = serializers.CharField(max_length=200, required=False)
    last_name = serializers.CharField(max_length=200, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The full name stands in for a missing part."""
        return {"first_name": attrs["formatted_name"]} | attrs


class CardPhone(serializers.Serializer[Any]):
    """A number on a contact card."""

    phone = serializers.CharField(max_length=50)
    type = serializers.CharField(max_length=50, required=False)
    wa_id = serializers.CharField(max_length=50, required=False)


class CardEmail(serializers.Serializer[Any]):
    """An address on a contact card."""

    email = serializers.EmailField()
    type = serializers.CharField(max_length=50, required=False)


class CardOrganisation(serializers.Serializer[Any]):
    """Where the person on a contact card works."""

    company = serializers.CharField(max_length=200, required=False)
    department = serializers.CharField(max_length=200, required=False)
    title = serializers.CharField(max_length=200, required=False)


class CardBody(serializers.Serializer[Any]):
    """A contact card in WhatsApp's own shape."""

    name = CardName()
    phones = serializers.ListField(child=CardPhone(), required=False, max_length=PARTS_MAX)
    emails = serializers.ListField(child=CardEmail(), required=False, max_length=PARTS_MAX)
    org = CardOrganisation(required=False)


class ReactionBody(serializers.Serializer[Any]):
    """A reaction to a message of the same conversation; an empty emoji takes it back."""

    message = IdField()
    emoji = serializers.CharField(max_length=EMOJI_MAX, allow_blank=True)


class TemplateParameter(serializers.DictField):
    """What fills a blank, in WhatsApp's own shape: `{"type": "text", "text": "…"}`."""

    def to_internal_value(self, data: Any) -> dict[Any, Any]:
        """Refuses one that does not say what it is."""
        value: dict[Any, Any] = super().to_internal_value(data)
        if not isinstance(value.get("type"), str) or not value["type"]:
            raise serializers.ValidationError(_("Each parameter needs a type, such as text, currency or image."))
        return value


class ComponentBody(serializers.Serializer[Any]):
    """What fills the blanks of one part of a template."""

    type = serializers.ChoiceField(choices=["header", "body", "button", "limited_time_offer", "carousel"])
    sub_type = serializers.CharField(max_length=40, required=False, help_text="Of a button.")
    index = serializers.IntegerField(min_value=0, max_value=9, required=False, help_text="Of a button.")
    parameters = serializers.ListField(child=TemplateParameter(), required=False, max_length=PARAMETERS_MAX)
    cards = serializers.ListField(child=serializers.DictField(), required=False, max_length=10)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A button says which one it is."""
        if attrs["type"] == "button" and not {"sub_type", "index"} <= attrs.keys():
            raise serializers.ValidationError(_("A button needs its sub_type and its index, counted from 0."))
        return attrs


class TemplateBody(serializers.Serializer[Any]):
    """A template approved by Meta; it may be sent when the window is closed."""

    name = serializers.RegexField(r"^[a-z0-9_]{1,512}\Z", help_text="As at Meta: small letters, digits and _.")
    language = serializers.RegexField(r"^[a-z]{2,3}(_[A-Za-z]{2,4})?\Z", help_text="As at Meta: es, en_US …")
    components = serializers.ListField(child=ComponentBody(), required=False, max_length=PARTS_MAX)
    purpose = serializers.ChoiceField(
        choices=["service", "utility", "marketing"],
        required=False,
        default="",
        help_text="What it is for: the person's consent to that is checked. Without one, nobody who has stopped "
        "marketing gets it.",
    )


class MessageBody(serializers.Serializer[Any]):
    """A message to send: `text`, `attachment` with `text` as its caption, `location`, `contacts`, `reaction` or
    `template`.
    """

    PARTS = ("attachment", "location", "contacts", "reaction", "template")

    client_id = serializers.UUIDField(
        required=False, help_text="Makes the request repeatable: the same id again answers with the same message."
    )
    kind = serializers.CharField(
        max_length=20,
        required=False,
        help_text="text, attachment, location, contacts, reaction or template; else by the part sent.",
    )
    text = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False, default="")
    reply_to = IdField(required=False, allow_null=True, default=None)
    attachment = serializers.UUIDField(required=False)
    location = LocationBody(required=False)
    contacts = serializers.ListField(child=CardBody(), required=False, max_length=CARDS_MAX, allow_empty=False)
    reaction = ReactionBody(required=False)
    template = TemplateBody(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One part at most, and the one that `kind` names."""
        parts = [name for name in self.PARTS if name in attrs]
        kind = attrs.get("kind") or (parts[0] if parts else "text")
        if parts != ([] if kind == "text" else [kind]):
            raise serializers.ValidationError(
                _("Send one of text, attachment, location, contacts, reaction and template, with its kind.")
            )
        return attrs | {"kind": kind}


class UploadBody(serializers.Serializer[Any]):
    """A file to be sent later, as multipart/form-data."""

    file = serializers.FileField(allow_empty_file=True, max_length=1000)


class UploadAnswer(serializers.Serializer[Any]):
    """A file that waits to be sent."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    name = serializers.CharField(source="filename")
    size = serializers.IntegerField()


class ConversationSerializer(serializers.ModelSerializer[Conversation]):
    """Everything said between one inbox and one person; `version` counts changes of status, assignee, team, tags and
    priority.
    """

    priority = PriorityField(read_only=True)
    tags = serializers.SlugRelatedField[Tag](many=True, read_only=True, slug_field="name")
    snoozed_until = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Of a snoozed one; null: until the person writes."
    )
    unread = serializers.IntegerField(read_only=True, help_text="By the token's user.")

    class Meta:
        model = Conversation
        fields = (
            "id",
            "contact",
            "inbox",
            "status",
            "assignee",
            "team",
            "priority",
            "tags",
            "snoozed_until",
            "window_expires_at",
            "unread",
            "last_activity_at",
            "version",
        )
        read_only_fields = fields


class ErrorSerializer(serializers.Serializer[Any]):
    """Why a message was not delivered, or is late."""

    code = serializers.CharField(help_text="Meta's number, or a word of ours.")
    detail = serializers.CharField()


class AuthorSerializer(serializers.Serializer[Any]):
    """Who wrote: contact, agent, api, phone, bot, rule, campaign or system; `id` of the contact or user."""

    kind = serializers.CharField()
    id = serializers.IntegerField(allow_null=True)
    name = serializers.CharField()


class FileSerializer(serializers.ModelSerializer[Attachment]):
    """A file of a message; `state`: pending, stored, failed or expired."""

    kind = serializers.CharField()
    state = serializers.CharField()
    name = serializers.CharField(source="filename")
    url = serializers.SerializerMethodField(help_text="Needs the token, too.")

    class Meta:
        model = Attachment
        fields = ("id", "kind", "name", "mime_type", "size", "state", "url")

    def get_url(self, attachment: Attachment) -> str:
        """Where the bytes are."""
        path = reverse("api:attachment", args=[attachment.pk])
        return str(self.context["request"].build_absolute_uri(path))


class ReactionSerializer(serializers.Serializer[Any]):
    """A reaction; `by`: us or contact."""

    emoji = serializers.CharField()
    by = serializers.CharField()


class MessageSerializer(serializers.ModelSerializer[Message]):
    """A message; one that its author deleted shows no text, content or files."""

    RELATED = ("author", "sender__contact", "conversation__contact")

    direction = serializers.CharField(help_text="in, out or note (a private note, which never leaves).")
    text = serializers.SerializerMethodField()
    content = serializers.SerializerMethodField(help_text="What the kind has beside text: a place, cards, an order …")
    status = serializers.CharField(
        help_text="Incoming: received; else queued, claimed, sending, accepted, "
        "sent, delivered, read, played, failed, unknown or cancelled"
    )
    error = serializers.SerializerMethodField()
    author = serializers.SerializerMethodField()
    attachments = serializers.SerializerMethodField()
    reactions = serializers.SerializerMethodField()

    class Meta:
        model = Message
        fields = (
            "id",
            "client_id",
            "conversation",
            "direction",
            "kind",
            "text",
            "content",
            "status",
            "error",
            "external_id",
            "author",
            "attachments",
            "reply_to",
            "reactions",
            "edited_at",
            "revoked_at",
            "provider_time",
            "created_at",
        )

    def get_text(self, message: Message) -> str:
        """Nothing of a deleted message."""
        return "" if message.revoked_at else message.text

    def get_content(self, message: Message) -> dict[str, Any]:
        """Nothing of a deleted message."""
        return {} if message.revoked_at else message.payload

    @extend_schema_field(ErrorSerializer(allow_null=True))
    def get_error(self, message: Message) -> dict[str, str] | None:
        """The code and its sentence, while it matters."""
        if not message.error_code or message.status not in ERROR_STATUSES:
            return None
        return {
            "code": message.error_code,
            "detail": codes.sentence(message.error_code, is_final=message.status == "failed"),
        }

    @extend_schema_field(AuthorSerializer)
    def get_author(self, message: Message) -> dict[str, Any]:
        """A user of ours, the contact, in a group its member; nobody for what works by itself."""
        author: dict[str, Any] = {"kind": message.author_kind, "id": None, "name": ""}
        if message.author is not None:
            author |= {"id": message.author.pk, "name": str(message.author)}
        elif message.author_kind == Message.Author.CONTACT:
            contact = message.sender.contact if message.sender else message.conversation.contact
            author |= {"id": contact.pk, "name": contact.title}
        return author

    @extend_schema_field(FileSerializer(many=True))
    def get_attachments(self, message: Message) -> list[dict[str, Any]]:
        """Nothing of a deleted message."""
        files = [] if message.revoked_at else list(message.attachments.all())
        return list(FileSerializer(files, many=True, context=self.context).data)

    @extend_schema_field(ReactionSerializer(many=True))
    def get_reactions(self, message: Message) -> list[dict[str, str]]:
        """Oldest first, without those taken back."""
        ordered = sorted(message.reactions.all(), key=lambda reaction: reaction.reacted_at)
        return [
            {"emoji": reaction.emoji, "by": "us" if reaction.actor == "us" else "contact"}
            for reaction in ordered
            if reaction.emoji
        ]
