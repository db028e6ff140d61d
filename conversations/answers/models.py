"""Canned answers."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from crm.foundation import clock
from crm.foundation.search import fold, search_text, words_of
from crm.staff.models import Team, User


class CannedAnswerQuerySet(models.QuerySet["CannedAnswer"]):
    """Canned answers by who asks and what they look for."""

    def visible_to(self, user: User) -> Self:
        """Those for everybody and those of the user's teams; managers and integrators all."""
        if not user.is_active:
            return self.none()
        if user.sees_everything:
            return self
        return self.filter(Q(team=None) | Q(team__in=user.memberships.values("team_id")))

    def search(self, text: str) -> Self:
        """Every word of `text` occurs in shortcut, title or body; those whose shortcut begins with it come first."""
        found = self.filter(*(Q(search_text__contains=word) for word in words_of(text)))
        begins = Q(shortcut__startswith=fold(text.strip().removeprefix("/")))
        return found.annotate(begins=models.Case(models.When(begins, then=0), default=1)).order_by("begins", "shortcut")


class CannedAnswer(models.Model):
    """A text to insert by its shortcut; `{{contact.name}}` and the like are filled in when it is inserted."""

    shortcut = models.SlugField(_("shortcut"), max_length=40)
    title = models.CharField(_("title"), max_length=100, blank=True)
    body = models.TextField(_("text"), max_length=4096)
    team = models.ForeignKey(
        Team, on_delete=models.CASCADE, null=True, blank=True, related_name="canned_answers", verbose_name=_("team")
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    search_text = models.TextField(blank=True, editable=False)

    objects = CannedAnswerQuerySet.as_manager()

    class Meta:
        verbose_name = _("canned answer")
        verbose_name_plural = _("canned answers")
        ordering: ClassVar = ["shortcut"]
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("shortcut"), name="cannedanswer_shortcut_once"),
            models.CheckConstraint(condition=~Q(body=""), name="cannedanswer_says_something"),
        ]

    def __str__(self) -> str:
        return f"/{self.shortcut}"

    def refresh_search_text(self) -> None:
        """To be called before saving: what `search` looks in."""
        self.search_text = search_text(self.shortcut, self.title, self.body)
