"""Staff in the API, to look up who and which team a conversation can be given to."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers, viewsets

from crm.staff.endpoint import Endpoint
from crm.staff.filters import TeamFilter, UserFilter
from crm.staff.models import Role, Team, User


class UserSerializer(serializers.ModelSerializer[User]):
    """A member of staff; `teams` are ids."""

    teams = serializers.PrimaryKeyRelatedField[Any](many=True, read_only=True)

    class Meta:
        model = User
        fields = ("id", "name", "role", "is_active", "teams")
        read_only_fields = fields


class UserViewSet(Endpoint, viewsets.ReadOnlyModelViewSet[User]):
    """Who works here."""

    resource = "staff"
    queryset = User.objects.all()
    serializer_class = UserSerializer
    filterset_class = UserFilter
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[User]:
        """Everybody, with their teams; a restricted agent, who is shown no colleagues in the inbox either: oneself."""
        users = User.objects.prefetch_related("teams")
        me: Any = self.request.user
        return users.filter(pk=me.pk) if me.role == Role.RESTRICTED else users


class TeamSerializer(serializers.ModelSerializer[Team]):
    """A group of agents."""

    class Meta:
        model = Team
        fields = ("id", "name")
        read_only_fields = fields


class TeamViewSet(Endpoint, viewsets.ReadOnlyModelViewSet[Team]):
    """The teams."""

    resource = "staff"
    queryset = Team.objects.all()
    serializer_class = TeamSerializer
    filterset_class = TeamFilter
    lookup_value_regex = "[0-9]{1,18}"
