"""What the API's requests carry that change the state of a conversation: whose, how urgent, tagged, snoozed."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from conversations.messaging.models import Conversation

ID_MAX = 2**63 - 1
VERSION_MAX = 2**31 - 1
TAGS_MAX = 50


class IdField(serializers.IntegerField):
    """A primary key; whether it exists is asked later, of what the user may see."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=ID_MAX, **kwargs)


class VersionBody(serializers.Serializer[Any]):
    """The version a change was decided on; without it the change is made whatever happened since."""

    version = serializers.IntegerField(min_value=1, max_value=VERSION_MAX, required=False)


class AssignBody(VersionBody):
    """Who shall answer; what is left out stays as it is."""

    assignee = IdField(required=False, allow_null=True)
    team = IdField(required=False, allow_null=True)


class SnoozeBody(VersionBody):
    """Until when; null or nothing: until the person writes."""

    until = serializers.DateTimeField(required=False, allow_null=True)


class PriorityField(serializers.ChoiceField):
    """A priority by its name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[name.lower() for name in Conversation.Priority.names], **kwargs)

    def to_representation(self, value: Any) -> str:
        """The name of a rank."""
        return Conversation.Priority(value).name.lower()


class PriorityBody(VersionBody):
    """How urgent it is."""

    priority = PriorityField()


class TagsBody(VersionBody):
    """Tags by name, whatever their case; what managers and integrators add is made if there is none."""

    add = serializers.ListField(child=serializers.CharField(max_length=200), required=False, max_length=TAGS_MAX)
    remove = serializers.ListField(child=serializers.CharField(max_length=200), required=False, max_length=TAGS_MAX)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Something must be asked for."""
        if not (attrs.get("add") or attrs.get("remove")):
            raise serializers.ValidationError(_("Name the tags to add or to remove."))
        return attrs
