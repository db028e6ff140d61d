"""Index of the app's API routes: (prefix, viewset, basename), and the addresses that are no resources."""

from django.urls import path

from conversations.answers.api import CannedAnswerViewSet
from conversations.inboxes.api import InboxViewSet
from conversations.ingest.api import WebhookEventViewSet
from conversations.messaging.api import (
    ID_PATTERN,
    AttachmentView,
    ConversationViewSet,
    MessagesOfConversation,
    MessageViewSet,
)
from conversations.notices.api import NotesOfConversation

routes = [
    ("inboxes", InboxViewSet, "inbox"),
    ("conversations", ConversationViewSet, "conversation"),
    (rf"conversations/(?P<conversation>{ID_PATTERN})/messages", MessagesOfConversation, "conversation-message"),
    (rf"conversations/(?P<conversation>{ID_PATTERN})/notes", NotesOfConversation, "conversation-note"),
    ("messages", MessageViewSet, "message"),
    ("canned-answers", CannedAnswerViewSet, "canned-answer"),
    ("webhook-events", WebhookEventViewSet, "webhook-event"),
]
addresses = [path("attachments/<uuid:pk>/", AttachmentView.as_view(), name="attachment")]
