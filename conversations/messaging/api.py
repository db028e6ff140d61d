"""Conversations, messages and their files in the API."""

import re
import uuid
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from conversations.channels.base import Contacts, Location, Reaction, Template, Text
from conversations.messaging import forms, labels, media, outbound, snoozing, state_forms, threads
from conversations.messaging.errors import NotQuotable
from conversations.messaging.filters import ConversationFilter, MessageFilter
from conversations.messaging.forms import ConversationSerializer, MessageSerializer
from conversations.messaging.models import Attachment, Conversation, Message
from crm.foundation.paging import NewestFirstCursor
from crm.foundation.parsing import BodyTooLarge
from crm.privacy import accesses
from crm.staff.endpoint import Endpoint, user_of
from crm.staff.models import Team, User
from crm.staff.openapi import ProblemAnswer

ID_PATTERN = "[0-9]{1,18}"
MULTIPART_OVERHEAD = 64 * 1024
_MIME_TYPE = re.compile(r"[a-z0-9]+/[a-z0-9.+-]+", re.ASCII)


class NewestActivityFirst(NewestFirstCursor):
    """As the inbox shows conversations."""

    columns = ("last_activity_at", "id")


class NewestSaidFirst(NewestFirstCursor):
    """As a thread shows messages, from its end."""

    columns = ("sort_at", "id")


CONFLICT = OpenApiResponse(ProblemAnswer, "`conflict` (with the present `version`)")
REFUSED = OpenApiResponse(ProblemAnswer, "`window_closed`, `too_long`, `empty` …")


class ConversationViewSet(Endpoint, viewsets.ReadOnlyModelViewSet[Conversation]):
    """Conversations, the one with the newest activity first."""

    resource = "conversations"
    resources = {"uploads": "messages"}
    needs = {"uploads": "conversations.add_attachment"}
    queryset = Conversation.objects.all()
    serializer_class = ConversationSerializer
    filterset_class = ConversationFilter
    pagination_class = NewestActivityFirst
    lookup_value_regex = ID_PATTERN

    def get_queryset(self) -> QuerySet[Conversation]:
        """Those the token's user may see."""
        user = user_of(self.request)
        return Conversation.objects.visible_to(user).with_unread(user).prefetch_related("tags")

    @extend_schema(request=state_forms.AssignBody, responses={200: ConversationSerializer, 409: CONFLICT})
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, pk: str) -> Response:
        """Give the conversation to a person and a team; null takes it away, what is left out stays."""
        body = _read(state_forms.AssignBody, request)
        chosen = get_object_or_404(self.get_queryset(), pk=pk)
        to: dict[str, Any] = {}
        if "assignee" in body:
            to["assignee"] = _existing("assignee", User.objects.filter(is_active=True), body["assignee"])
        if "team" in body:
            to["team"] = _existing("team", Team.objects.all(), body["team"])
        changed = threads.assign(chosen, by=user_of(request), version=body.get("version"), **to)
        return self._answer(changed)

    @extend_schema(request=state_forms.VersionBody, responses={200: ConversationSerializer, 409: CONFLICT})
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: str) -> Response:
        """Nothing is left to be done, until the person writes again."""
        return self._set_status(request, Conversation.Status.RESOLVED)

    @extend_schema(request=state_forms.VersionBody, responses={200: ConversationSerializer, 409: CONFLICT})
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        """Back to the open ones."""
        return self._set_status(request, Conversation.Status.OPEN)

    @extend_schema(request=state_forms.SnoozeBody, responses={200: ConversationSerializer, 409: CONFLICT})
    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, pk: str) -> Response:
        """Out of the open ones until a moment, or until the person writes, which always ends it."""
        chosen, body = self.get_object(), _read(state_forms.SnoozeBody, request)
        until, version = body.get("until"), body.get("version")
        return self._answer(snoozing.snooze(chosen, by=user_of(request), until=until, version=version))

    @extend_schema(request=state_forms.PriorityBody, responses={200: ConversationSerializer, 409: CONFLICT})
    @action(detail=True, methods=["post"])
    def priority(self, request: Request, pk: str) -> Response:
        """How urgent it is."""
        chosen, body = self.get_object(), _read(state_forms.PriorityBody, request)
        priority, version = Conversation.Priority[body["priority"].upper()], body.get("version")
        return self._answer(threads.set_priority(chosen, priority, by=user_of(request), version=version))

    @extend_schema(request=state_forms.TagsBody, responses={200: ConversationSerializer, 409: CONFLICT})
    @action(detail=True, methods=["post"])
    def tags(self, request: Request, pk: str) -> Response:
        """Put tags on and take tags off; what was there and is not named stays."""
        chosen, body, user = self.get_object(), _read(state_forms.TagsBody, request), user_of(request)
        find = labels.find_or_make if user.has_perm("crm.add_tag") else labels.find
        with transaction.atomic():
            added = [find(name) for name in body.get("add", [])]
            removed = [labels.find(name) for name in body.get("remove", [])]
            changed = labels.change(chosen, add=added, remove=removed, by=user, version=body.get("version"))
        return self._answer(changed)

    @extend_schema(request={"multipart/form-data": forms.UploadBody}, responses={201: forms.UploadAnswer, 409: REFUSED})
    @action(detail=True, methods=["post"], parser_classes=[MultiPartParser], filterset_class=None)
    def uploads(self, request: Request, pk: str) -> Response:
        """Keep a file for a day; send it with the `attachment` of a message."""
        _refuse_huge(request)
        chosen = self.get_object()
        file = _read(forms.UploadBody, request)["file"]
        stored = media.store_upload(
            chosen, file, name=file.name or "", size=file.size, claimed=file.content_type or "", by=user_of(request)
        )
        return Response(forms.UploadAnswer(stored).data, status=201)

    def _set_status(self, request: Request, status: str) -> Response:
        version = _read(state_forms.VersionBody, request).get("version")
        return self._answer(threads.set_status(self.get_object(), status, by=user_of(request), version=version))

    def _answer(self, changed: Conversation) -> Response:
        """As it stands now, also if it was given away to where the user does not see it."""
        row = Conversation.objects.with_unread(user_of(self.request)).prefetch_related("tags").get(pk=changed.pk)
        return Response(self.get_serializer(row).data)


class MessagesOfConversation(Endpoint, mixins.ListModelMixin, viewsets.GenericViewSet[Message]):
    """The messages of a conversation, newest first; reactions are part of the message they belong to."""

    resource = "messages"
    has_etag = False  # a status changes it at any moment
    queryset = Message.objects.all()
    serializer_class = MessageSerializer
    filterset_class = MessageFilter
    pagination_class = NewestSaidFirst

    def get_queryset(self) -> QuerySet[Message]:
        """Those of the conversation in the address."""
        chosen = self._conversation()
        if self.request.method == "GET":
            accesses.note(user_of(self.request), chosen.contact_id, accesses.What.API)
        messages = chosen.messages.bubbles().select_related(*MessageSerializer.RELATED)
        return messages.prefetch_related("attachments", "reactions")

    @extend_schema(
        request=forms.MessageBody,
        responses={
            201: MessageSerializer,
            200: OpenApiResponse(MessageSerializer, "Known by its client_id."),
            409: REFUSED,
        },
    )
    def create(self, request: Request, conversation: str) -> Response:
        """Send a message; repeating the request with the same `client_id` sends nothing again."""
        chosen = self._conversation()
        body = _read(forms.MessageBody, request)
        message, is_new = outbound.compose(
            chosen,
            by=user_of(request),
            content=_content(chosen, user_of(request), body),
            origin="api",
            reply_to=_quoted(chosen, body["reply_to"]),
            client_id=body.get("client_id") or uuid.uuid4(),  # chosen here: a repeated transaction is one message
        )
        return Response(self.get_serializer(message).data, status=201 if is_new else 200)

    def _conversation(self) -> Conversation:
        visible = Conversation.objects.visible_to(user_of(self.request))
        return get_object_or_404(visible, pk=self.kwargs["conversation"])


class MessageViewSet(Endpoint, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Message]):
    """One message, wherever it was said."""

    resource = "messages"
    has_etag = False  # a status changes it at any moment
    queryset = Message.objects.all()
    serializer_class = MessageSerializer
    lookup_value_regex = ID_PATTERN

    def get_queryset(self) -> QuerySet[Message]:
        """Those the token's user may see."""
        visible = Message.objects.visible_to(user_of(self.request)).select_related(*MessageSerializer.RELATED)
        return visible.prefetch_related("attachments", "reactions")

    @extend_schema(request=None, responses={200: MessageSerializer, 409: REFUSED})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Send a failed or unconfirmed message again."""
        outbound.retry(self._ours())
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=None, responses={200: MessageSerializer, 409: REFUSED})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Take back a message that has not left."""
        outbound.cancel(self._ours())
        return Response(self.get_serializer(self.get_object()).data)

    def _ours(self) -> Message:
        message = self.get_object()
        if message.direction != Message.Direction.OUTBOUND:
            raise Http404
        return message


class AttachmentView(Endpoint, APIView):
    """The file of a message."""

    resource = "messages"
    queryset = Attachment.objects.all()
    needs = {"GET": "conversations.view_attachment"}

    @extend_schema(
        responses={(200, "*/*"): OpenApiTypes.BINARY},
        parameters=[OpenApiParameter("pk", OpenApiTypes.UUID, OpenApiParameter.PATH)],
    )
    def get(self, request: Request, pk: uuid.UUID) -> HttpResponse:
        """The bytes, as they came or were uploaded."""
        visible = Attachment.objects.visible_to(user_of(request)).exclude(message__revoked_at__isnull=False)
        found = get_object_or_404(visible, pk=pk, state=Attachment.State.STORED)
        try:
            with found.file.open("rb") as file:
                response = HttpResponse(file.read())
        except (OSError, ValueError) as error:
            raise Http404 from error
        bare = found.mime_type.partition(";")[0].strip().lower()
        response["Content-Type"] = bare if _MIME_TYPE.fullmatch(bare) else "application/octet-stream"
        response["Content-Disposition"] = content_disposition_header(True, found.filename or found.kind) or "attachment"
        response["Content-Security-Policy"] = "sandbox; default-src 'none'"
        return response


def _read(form: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    body = form(data=request.data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


def _existing(name: str, queryset: QuerySet[Any], pk: int | None) -> Any:
    found = queryset.filter(pk=pk).first() if pk else None
    if pk and found is None:
        raise serializers.ValidationError({name: [_("There is none with this id. Choose another one, or null.")]})
    return found


def _refuse_huge(request: Request) -> None:
    """Before a single byte is read."""
    length = request.headers.get("Content-Length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > settings.UPLOAD_MAX_BYTES + MULTIPART_OVERHEAD:
        raise BodyTooLarge(
            _("The file is too big: WhatsApp takes at most %(limit)s MB. Make it smaller or send a link.")
            % {"limit": settings.UPLOAD_MAX_BYTES // 1024**2}
        )


def _quoted(conversation: Conversation, pk: int | None) -> Message | None:
    found = conversation.messages.filter(pk=pk).first() if pk else None
    if pk and found is None:
        raise NotQuotable(_("This message cannot be quoted. Send your answer without the quote."))
    return found


def _content(conversation: Conversation, user: User, body: dict[str, Any]) -> outbound.Content:
    match body["kind"]:
        case "attachment":
            files = Attachment.objects.visible_to(user).filter(Q(message=None) | Q(message__conversation=conversation))
            found = files.filter(pk=body["attachment"], conversation=conversation).first()
            if found is None:
                sentence = _("The file is no longer here. Upload it again.")
                raise serializers.ValidationError({"attachment": [sentence]})
            return outbound.Upload(found, body["text"])
        case "location":
            return Location(**body["location"])
        case "contacts":
            return Contacts([dict(card) for card in body["contacts"]])
        case "reaction":
            target = conversation.messages.filter(pk=body["reaction"]["message"]).exclude(external_id=None).first()
            if target is None:
                raise NotQuotable(_("This message cannot be reacted to yet."))
            return Reaction(target.external_id or "", body["reaction"]["emoji"])
        case "template":
            template = body["template"]
            components = [dict(component) for component in template.get("components", [])]
            return Template(template["name"], template["language"], components, template.get("purpose", ""))
    return Text(body["text"])
