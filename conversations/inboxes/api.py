"""Inboxes in the API: which numbers there are, never their secrets."""

from django.db.models import QuerySet
from rest_framework import serializers, viewsets

from conversations.inboxes.filters import InboxFilter
from conversations.inboxes.models import Inbox
from crm.staff.endpoint import Endpoint, user_of


class InboxSerializer(serializers.ModelSerializer[Inbox]):
    """One number of the business."""

    class Meta:
        model = Inbox
        fields = ("id", "name", "display_phone_number", "phone_number_id", "teams")
        read_only_fields = fields


class InboxViewSet(Endpoint, viewsets.ReadOnlyModelViewSet[Inbox]):
    """The numbers of the business; `teams` are the ids of the teams they are open to."""

    resource = "inboxes"
    queryset = Inbox.objects.all()
    serializer_class = InboxSerializer
    filterset_class = InboxFilter
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[Inbox]:
        """Those the token's user may see."""
        return Inbox.objects.visible_to(user_of(self.request)).prefetch_related("teams")
