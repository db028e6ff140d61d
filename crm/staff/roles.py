"""What each role may do: its permissions, and the Django group of its name that `migrate` keeps in line with them."""

import functools
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """What a user may do (`permissions_of`) and see (`visible_to` on every queryset)."""

    MANAGER = "manager", _("Manager")
    AGENT = "agent", _("Agent")
    RESTRICTED = "restricted", _("Restricted agent")
    INTEGRATOR = "integrator", _("Integrator")


APPS = ("crm", "catalog", "conversations")
VERBS = {"v": "view", "a": "add", "c": "change", "d": "delete"}
VERB_WORDS = {"view": _("view"), "add": _("add"), "change": _("change"), "delete": _("delete")}
MORE_WORDS = {
    "crm.use_inbox": _("use the inbox"),
    "crm.use_administration": _("use the administration"),
    "crm.see_everything": _("see every contact and conversation"),
    "crm.look_as_others": _("look at the inbox as somebody else"),
    "crm.see_addresses": _("see phones and e-mail addresses in full"),
    "crm.moderate": _("delete others' notes, change the saved views of teams"),
}
# Nobody writes the audit log by hand, nor changes what people said of consent.
NEVER = frozenset(
    {
        "crm.add_auditentry", "crm.change_auditentry", "crm.delete_auditentry",
        "crm.change_consentevent", "crm.delete_consentevent",
        "crm.add_consent", "crm.change_consent", "crm.delete_consent",
        "crm.change_privacyrequest", "crm.delete_privacyrequest", "crm.change_legalhold", "crm.delete_legalhold",
        "crm.add_accesslogentry", "crm.change_accesslogentry", "crm.delete_accesslogentry",
        "crm.add_erasedsubject", "crm.change_erasedsubject", "crm.delete_erasedsubject",
        "crm.add_suppression", "crm.change_suppression", "crm.delete_suppression",
    }
)  # fmt: skip

# Managers may do everything. Of the others: model -> (integrators, agents), as letters of VERBS. A restricted agent may
# do what agents may, with the conversations they see; phones and e-mail addresses are masked for them.
_MODELS = {
    "crm.consent": ("v", "v"),
    "crm.consentevent": ("va", "va"),
    "crm.contact": ("vac", "vac"),
    "crm.contactevent": ("va", "v"),
    "crm.contactfile": ("vad", "vad"),
    "crm.contactnote": ("vacd", "vacd"),  # one's own
    "crm.contactpoint": ("vacd", "vacd"),
    "crm.customattribute": ("vacd", "v"),
    "crm.importjob": ("vac", ""),
    "crm.lifecyclestage": ("vacd", "v"),
    "crm.mergerecord": ("vac", ""),
    "crm.privacyrequest": ("va", ""),
    "crm.segment": ("vacd", "v"),
    "crm.tag": ("vacd", "v"),
    "crm.team": ("v", "v"),
    "crm.user": ("v", "v"),
    "catalog.product": ("vacd", "v"),
    "conversations.attachment": ("va", "va"),
    "conversations.cannedanswer": ("vacd", "v"),
    "conversations.conversation": ("vc", "vc"),
    "conversations.inbox": ("v", "v"),
    "conversations.message": ("vac", "vac"),
    "conversations.scheduledmessage": ("", "vacd"),
    "conversations.savedview": ("", "vacd"),
    "conversations.webhookevent": ("v", ""),
}
_MORE = {
    Role.INTEGRATOR: frozenset({"crm.see_everything", "crm.see_addresses"}),
    Role.AGENT: frozenset({"crm.use_inbox", "crm.see_addresses"}),
    Role.RESTRICTED: frozenset({"crm.use_inbox"}),
}


@functools.cache
def permissions_of(role: str) -> frozenset[str]:
    """The permissions of a role, as `app.verb_model`; none for a word that is no role."""
    if role == Role.MANAGER:
        return _everything() - NEVER | {"auth.view_group"}
    if role not in Role.values:
        return frozenset()
    column = 0 if role == Role.INTEGRATOR else 1
    found = {_permission(model, VERBS[letter]) for model, letters in _MODELS.items() for letter in letters[column]}
    return frozenset(found) | _MORE[Role(role)]


def write_groups() -> None:
    """Make the groups say what the roles may: for the administration, and for whoever asks Django. Writes only what
    differs.
    """
    rows = Permission.objects.select_related("content_type")
    known = {f"{row.content_type.app_label}.{row.codename}": row.pk for row in rows}
    with transaction.atomic():
        for role in Role.values:
            group, _is_new = Group.objects.get_or_create(name=role)
            wanted = {known[name] for name in permissions_of(role) if name in known}
            if wanted != set(group.permissions.values_list("pk", flat=True)):
                group.permissions.set(wanted)


def join_groups(user: Any = None) -> None:
    """Put a user, or whoever is not there yet, into the group of their role and no other: for whoever asks who is in
    it. Rights come by the role all the same.
    """
    people: Any = get_user_model()._default_manager.all()
    members: Any = people.model.groups.through
    wrong = members._default_manager.exclude(group__name=models.F("user__role"))
    outside = people.exclude(groups__name=models.F("role"))
    if user is not None:
        wrong, outside = wrong.filter(user=user), outside.filter(pk=user.pk)
    with transaction.atomic():
        wrong.delete()
        lacking = list(outside.values_list("pk", "role"))
        groups = dict(Group.objects.values_list("name", "pk")) if lacking else {}
        rows = [members(user_id=pk, group_id=groups[role]) for pk, role in lacking if role in groups]
        members._default_manager.bulk_create(rows, ignore_conflicts=True)


def described(role: str) -> list[str]:
    """A line for each thing a role may do something with, in the active language: "contacts: view, add"."""
    found: dict[str, list[str]] = {}
    for name in permissions_of(role):
        app, _dot, codename = name.partition(".")
        verb, _sep, model = codename.partition("_")
        if verb in VERB_WORDS and model in apps.get_app_config(app).models:
            subject = str(apps.get_model(app, model)._meta.verbose_name_plural)
        else:
            verb, subject = "", str(MORE_WORDS.get(name, name))
        found.setdefault(subject, []).append(verb)
    words = {verb: str(word) for verb, word in VERB_WORDS.items()}
    lines = []
    for subject, verbs in sorted(found.items(), key=lambda pair: pair[0].casefold()):
        said = ", ".join(words[verb] for verb in words if verb in verbs)
        lines.append(f"{subject}: {said}" if said else subject)
    return lines


def _permission(model: str, verb: str) -> str:
    app, _dot, name = model.partition(".")
    return f"{app}.{verb}_{name}"


def _everything() -> frozenset[str]:
    found = set()
    for label in APPS:
        for model in apps.get_app_config(label).get_models():
            found |= {_permission(model._meta.label_lower, verb) for verb in model._meta.default_permissions}
            found |= {f"{label}.{codename}" for codename, _name in model._meta.permissions}
    return frozenset(found)
