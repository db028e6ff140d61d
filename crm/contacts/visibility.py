"""Who may see a contact: a rule that the conversations app, which knows, registers at start."""

from collections.abc import Callable
from typing import Any

from django.db.models import Q, QuerySet

from crm.staff.models import User

Rule = Callable[[User], Q]

_rules: list[Rule] = []


def register(rule: Rule) -> None:
    """Add a rule: the contacts an agent may see, as a condition on Contact."""
    _rules.append(rule)


def narrow[Q_: QuerySet[Any]](queryset: Q_, user: User) -> Q_:
    """Everything for managers and integrators; else what any rule allows; nothing without a rule."""
    if not user.is_active:
        return queryset.none()
    if user.sees_everything:
        return queryset
    allowed = Q(pk__in=[])
    for rule in _rules:
        allowed |= rule(user)
    return queryset.filter(allowed)
