"""Who may be here, what they hear, and a fingerprint that changes when either does."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from conversations.inboxes.models import Inbox
from crm.staff.models import Membership, Role, User


@dataclass(frozen=True)
class Access:
    """The live groups of a user, whether the inbox is open to them, a fingerprint of all that decided it, and whether
    what they see is decided by conversation.
    """

    groups: frozenset[str]
    is_allowed: bool
    fingerprint: str
    is_restricted: bool = False


NOBODY = Access(frozenset(), False, "")


def access_of(users: Iterable[User]) -> dict[int, Access]:
    """Access by user id, in three queries. Restricted agents hear only of themselves and their teams."""
    users = list(users)
    teams: dict[int, set[int]] = defaultdict(set)
    for user_id, team_id in Membership.objects.filter(user__in=users).values_list("user_id", "team_id"):
        teams[user_id].add(team_id)
    inboxes: dict[int, set[int]] = defaultdict(set)
    for inbox_id, team_id in Inbox.teams.through.objects.values_list("inbox_id", "team_id"):
        inboxes[team_id].add(inbox_id)
    everything = set(Inbox.objects.values_list("pk", flat=True))
    return {user.pk: _access(user, teams[user.pk], inboxes, everything) for user in users}


def _access(user: User, teams: set[int], inboxes: dict[int, set[int]], everything: set[int]) -> Access:
    groups = {f"u.{user.pk}"}
    if user.sees_everything:
        groups |= {f"inbox.{pk}" for pk in everything}
    elif user.role == Role.RESTRICTED:
        groups |= {f"team.{pk}" for pk in teams}
    else:
        groups |= {f"inbox.{pk}" for team in teams for pk in inboxes[team]}
    facts = [user.password, user.role, str(user.is_active), *sorted(groups)]
    fingerprint = hashlib.sha256("|".join(facts).encode()).hexdigest()
    return Access(frozenset(groups), user.may_use_desk, fingerprint, user.role == Role.RESTRICTED)
