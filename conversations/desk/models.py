"""What agents keep at the desk: saved views and drafts."""

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from conversations.messaging.models import Conversation
from crm.foundation import clock
from crm.staff.models import Team, User


def own_go_and_team_views_stay(collector: Any, field: Any, sub_objs: Any, using: Any) -> None:
    """on_delete of a view's owner: their own views go with them, those they made for a team stay."""
    models.CASCADE(collector, field, sub_objs.filter(team=None), using)
    models.SET_NULL(collector, field, sub_objs.filter(team__isnull=False), using)


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    """Saved views by who asks."""

    def visible_to(self, user: User) -> Self:
        """Their own and those of their teams; who sees everything, those of every team."""
        if not user.is_active:
            return self.none()
        teams = Q(team__isnull=False) if user.sees_everything else Q(team__in=user.memberships.values("team_id"))
        return self.filter(Q(team=None, owner=user) | teams)


class SavedView(models.Model):
    """A name for a query string of the list; of one agent, or of a team."""

    name = models.CharField(_("name"), max_length=60)
    query = models.CharField(max_length=1000)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=own_go_and_team_views_stay, null=True, related_name="saved_views"
    )
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="saved_views")
    position = models.PositiveSmallIntegerField(default=0)

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering: ClassVar = ["position", "name", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "name"], condition=Q(team=None), name="savedview_own_name_once"),
            models.UniqueConstraint(
                fields=["team", "name"], condition=Q(team__isnull=False), name="savedview_team_name_once"
            ),
            models.CheckConstraint(
                condition=Q(owner__isnull=False) | Q(team__isnull=False), name="savedview_is_somebodys"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Draft(models.Model):
    """What an agent has begun to write in a conversation; follows them to another device."""

    class Mode(models.TextChoices):
        REPLY = "reply"
        NOTE = "note"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="drafts", db_index=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="drafts")
    mode = models.CharField(max_length=5, choices=Mode, default=Mode.REPLY)
    text = models.TextField()
    updated_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name = _("draft")
        verbose_name_plural = _("drafts")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "conversation", "mode"], name="draft_one_per_mode"),
            models.CheckConstraint(condition=Q(mode__in=["reply", "note"]), name="draft_mode_is_known"),
        ]

    def __str__(self) -> str:
        return f"draft of {self.user_id} in {self.conversation_id}"
