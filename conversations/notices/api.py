"""Private notes of conversations in the API: for the team, never sent to anybody."""

import uuid
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.messaging.api import REFUSED, NewestSaidFirst
from conversations.messaging.filters import NoteFilter
from conversations.messaging.forms import MessageSerializer
from conversations.messaging.models import Conversation, Message
from conversations.notices import mentions
from crm.staff.endpoint import Endpoint, user_of


class NoteBody(serializers.Serializer[Any]):
    """A note to keep."""

    client_id = serializers.UUIDField(
        required=False, help_text="Makes the request repeatable: the same id again answers with the same note."
    )
    text = serializers.CharField(
        trim_whitespace=False, help_text="Up to 10,000 characters; `@` and a colleague's name tells them."
    )


class NotesOfConversation(Endpoint, mixins.ListModelMixin, viewsets.GenericViewSet[Message]):
    """The private notes of a conversation, newest first; among its messages they have the `direction` note."""

    resource = "messages"
    has_etag = False
    queryset = Message.objects.all()
    serializer_class = MessageSerializer
    filterset_class = NoteFilter
    pagination_class = NewestSaidFirst

    def get_queryset(self) -> QuerySet[Message]:
        """Those of the conversation in the address."""
        notes = self._conversation().messages.filter(direction=Message.Direction.NOTE)
        return notes.select_related(*MessageSerializer.RELATED).prefetch_related("attachments", "reactions")

    @extend_schema(
        request=NoteBody,
        responses={
            201: MessageSerializer,
            200: OpenApiResponse(MessageSerializer, "Known by its client_id."),
            409: REFUSED,
        },
    )
    def create(self, request: Request, conversation: str) -> Response:
        """Add a note; repeating the request with the same `client_id` adds nothing again."""
        chosen = self._conversation()
        body = NoteBody(data=request.data)
        body.is_valid(raise_exception=True)
        note, is_new = mentions.note(
            chosen,
            by=user_of(request),
            text=body.validated_data["text"],
            origin=Message.Author.API,
            client_id=body.validated_data.get("client_id") or uuid.uuid4(),
        )
        return Response(self.get_serializer(note).data, status=201 if is_new else 200)

    def _conversation(self) -> Conversation:
        visible = Conversation.objects.visible_to(user_of(self.request))
        return get_object_or_404(visible, pk=self.kwargs["conversation"])
