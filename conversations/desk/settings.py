"""How the inbox looks and behaves for one person: read from `User.preferences`, whatever that holds."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from crm.foundation import clock
from crm.staff.models import User

CHOICES = {
    "density": ("comfortable", "compact"),
    "send_with": ("enter", "ctrl_enter"),
    "read_on": ("open", "3s", "reply"),
    "notify": ("mine", "all", "off"),
}
SWITCHES = ("single_keys", "sound", "hide_preview")
DND_MOST = dt.timedelta(days=7)


@dataclass(frozen=True)
class Preferences:
    """What one person chose. `read_on`: when an opened conversation counts as read. `notify`: of which conversations
    the device tells. `dnd_until`: no notifications before that moment.
    """

    density: str = "comfortable"
    single_keys: bool = True
    send_with: str = "enter"
    read_on: str = "open"
    notify: str = "mine"
    sound: bool = True
    hide_preview: bool = False
    dnd_until: dt.datetime | None = None

    @classmethod
    def of(cls, user: User) -> "Preferences":
        """Those of a user; what is missing or unknown is as at the beginning, a past `dnd_until` is None."""
        return cls().changed(user.preferences if isinstance(user.preferences, dict) else {})

    def changed(self, wanted: Mapping[str, Any]) -> "Preferences":
        """With the known ones of these values; unknown names and values change nothing."""
        new: dict[str, Any] = {name: wanted[name] for name in CHOICES if wanted.get(name) in CHOICES[name]}
        new |= {name: wanted[name] for name in SWITCHES if isinstance(wanted.get(name), bool)}
        if "dnd_until" in wanted:
            new["dnd_until"] = read_dnd(wanted["dnd_until"])
        return replace(self, **new)

    @property
    def stored(self) -> dict[str, Any]:
        """As JSON keeps them, and as the page reads them."""
        return asdict(self) | {"dnd_until": self.dnd_until.isoformat() if self.dnd_until else None}


def read_dnd(value: Any) -> dt.datetime | None:
    """A moment between now and a week from now; None for anything else."""
    try:
        until = dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    now = clock.now()
    return until if until.tzinfo and now < until <= now + DND_MOST else None
