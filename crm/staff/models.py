"""Users (who sign in by e-mail), their role, teams, and API tokens."""

import zoneinfo
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from crm.foundation import clock
from crm.staff import roles
from crm.staff.roles import Role as Role


def validate_time_zone(name: str) -> None:
    """Refuse what the tz database does not know."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(_("Unknown time zone. Use a name such as America/Bogota."))


class UserManager(BaseUserManager["User"]):
    """Makes users by e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a user; an unusable password if none is given."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a manager with every permission."""
        return self.create_user(email, password, **({"role": Role.MANAGER, "is_superuser": True} | fields))

    def get_by_natural_key(self, username: str | None) -> "User":
        """Sign-in does not mind the case of the e-mail address."""
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A member of staff."""

    class Theme(models.TextChoices):
        SYSTEM = "system", _("Like the system")
        LIGHT = "light", _("Light")
        DARK = "dark", _("Dark")

    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=150)
    role = models.CharField(_("role"), max_length=20, choices=Role, default=Role.AGENT)
    language = models.CharField(_("language"), max_length=5, choices=settings.LANGUAGES, default="es")
    time_zone = models.CharField(
        _("time zone"), max_length=50, default=settings.TIME_ZONE, validators=[validate_time_zone]
    )
    theme = models.CharField(_("theme"), max_length=10, choices=Theme, default=Theme.SYSTEM)
    # How the inbox looks and behaves for this person; read and checked by `conversations.desk.settings`.
    preferences = models.JSONField(default=dict, db_default={}, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    teams: "models.ManyToManyField[Team, Membership]" = models.ManyToManyField(
        "Team", through="Membership", related_name="users"
    )

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]
    # Of who calls by a token whose scopes do not open phones and e-mail addresses.
    token_hides_addresses = False
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering: ClassVar = ["name", "pk"]
        permissions: ClassVar = [
            ("use_inbox", "Can use the inbox"),
            ("use_administration", "Can use the administration"),
            ("see_everything", "Can see every contact and conversation"),
            ("look_as_others", "Can look at the inbox as somebody else"),
            ("moderate", "Can change and delete what others made"),
            ("see_addresses", "Can see phones and e-mail addresses in full"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_is_lower"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_role_is_known"),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        """With the group of their role."""
        super().save(*args, **kwargs)
        if "role" in (kwargs.get("update_fields") or ("role",)):
            roles.join_groups(self)

    def get_full_name(self) -> str:
        """Django's word for the name."""
        return self.name

    @property
    def is_staff(self) -> bool:
        """Django's word for who may enter the administration."""
        return self.has_perm("crm.use_administration")

    @property
    def sees_everything(self) -> bool:
        """Managers, and integrators acting for the whole business."""
        return "crm.see_everything" in roles.permissions_of(self.role)

    @property
    def may_use_desk(self) -> bool:
        """The agents' inbox is for everybody but integrators."""
        return self.has_perm("crm.use_inbox")

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Whether the role carries `app.verb_model`; nothing else gives rights, not `is_superuser` either."""
        return self.is_active and perm in roles.permissions_of(self.role)

    def has_module_perms(self, app_label: str) -> bool:
        """Whether the role may do anything in an app."""
        return any(name.startswith(f"{app_label}.") for name in self.get_all_permissions())

    def get_all_permissions(self, obj: Any = None) -> set[str]:
        """What the role carries."""
        return set(roles.permissions_of(self.role)) if self.is_active else set()


class Team(models.Model):
    """A group of agents; inboxes are open to teams."""

    name = models.CharField(_("name"), max_length=80, unique=True)

    class Meta:
        verbose_name = _("team")
        verbose_name_plural = _("teams")
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A user belongs to a team."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "team"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.team_id}"


class ApiToken(models.Model):
    """A key for the API: only the SHA-256 of its secret is kept; its scopes narrow what the user's role may."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80, blank=True)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=clock.real, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")

    def __str__(self) -> str:
        return f"{self.prefix}…"


class StoredAnswer(models.Model):
    """What a POST with an Idempotency-Key was answered, for a day: the same request again gets it again."""

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="stored_answers", db_index=False)
    key = models.CharField(max_length=255)
    # SHA-256 of address and body.
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(default=clock.real, editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["token", "key"], name="storedanswer_once")]

    def __str__(self) -> str:
        return f"answer {self.status} of token {self.token_id}"
