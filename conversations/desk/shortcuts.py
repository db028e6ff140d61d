"""The keys of the inbox: one table for the help, the command palette and the page's scripts. None uses Alt."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _


@dataclass(frozen=True)
class Shortcut:
    """An action and its key. `keys`: as shown, parts by spaces. `name`: what `keys.js` listens for ("" if another
    script does). `run`: a test id to press (the first of several, "|" between), `key:` and an event, or `do:` and a
    function of `keys.js`; "" if it cannot be chosen from the palette.
    """

    keys: str
    label: str
    name: str = ""
    run: str = ""
    icon: str = "keyboard"

    @property
    def parts(self) -> list[str]:
        """The keys one by one."""
        return self.keys.split()


@dataclass(frozen=True)
class Section:
    """Shortcuts that belong together; `is_thread`: they need an open conversation."""

    label: str
    shortcuts: tuple[Shortcut, ...]
    is_thread: bool = False


def sections() -> list[Section]:
    """All shortcuts in the language of the request."""
    return [
        Section(_("Conversation"), _conversation(), is_thread=True),
        Section(_("List"), _list()),
        Section(_("Go to"), _places()),
        Section(_("Everywhere"), _everywhere()),
        Section(_("While writing"), _writing(), is_thread=True),
    ]


def actions() -> Iterator[tuple[Section, Shortcut]]:
    """Those that can be chosen from the palette."""
    for section in sections():
        for shortcut in section.shortcuts:
            if shortcut.run:
                yield section, shortcut


def _conversation() -> tuple[Shortcut, ...]:
    return (
        Shortcut("R", _("Write a reply"), "r", "reply-tab", "reply"),
        Shortcut("N", _("Write a private note"), "n", "note-tab", "sticky-note"),
        Shortcut("T", _("Choose a template"), "t", "template|choose-template", "layers"),
        Shortcut("E", _("Resolve or reopen"), "e", "resolve|reopen", "check"),
        Shortcut("⇧ E", _("Resolve and go to the next"), "E", "resolve-next", "check-check"),
        Shortcut("I", _("Assign to me"), "i", "do:assignToMe", "user-check"),
        Shortcut("A", _("Assign to…"), "a", "assign", "user"),
        Shortcut("Z", _("Snooze…"), "z", "snooze", "alarm-clock"),
        Shortcut("L", _("Tags…"), "l", "tags", "tag"),
        Shortcut("!", _("Priority…"), "!", "priority", "flag"),
        Shortcut("U", _("Mark as unread"), "u", "unread", "mail"),
        Shortcut("D", _("Contact panel"), "d", "do:panel", "panel-right"),
        Shortcut("Ctrl F", _("Search in the conversation"), "", "find", "search"),
    )


def _list() -> tuple[Shortcut, ...]:
    return (
        Shortcut("J K", _("Next and previous conversation")),
        Shortcut("↵", _("Open the conversation")),
        Shortcut("X", _("Select the conversation"), "x", "key:select", "square-check"),
        Shortcut("⇧ J K", _("Select several")),
        Shortcut("/", _("Search everything"), "/", "do:search", "search"),
    )


def _places() -> tuple[Shortcut, ...]:
    return (
        Shortcut("G M", _("Mine"), "gm", "do:go:view=mine", "user"),
        Shortcut("G S", _("Unassigned"), "gs", "do:go:view=unassigned", "inbox"),
        Shortcut("G T", _("All"), "gt", "do:go:view=all", "users"),
        Shortcut("G E", _("Waiting"), "ge", "do:go:view=waiting", "hourglass"),
        Shortcut("G R", _("All resolved"), "gr", "do:go:view=resolved", "circle-check"),
        Shortcut("", _("Mentions"), "", "do:go:view=mentions", "at-sign"),
        Shortcut("", _("All snoozed"), "", "do:go:view=snoozed", "alarm-clock"),
        Shortcut("", _("Window closing"), "", "do:go:view=closing", "timer"),
    )


def _everywhere() -> tuple[Shortcut, ...]:
    return (
        Shortcut("Ctrl K", _("Command palette"), "", "", "command"),
        Shortcut("?", _("This help"), "?", "do:help", "circle-help"),
        Shortcut(",", _("Preferences"), ",", "do:settings", "settings"),
        Shortcut("Esc", _("Close, leave the field, back to the list")),
    )


def _writing() -> tuple[Shortcut, ...]:
    return (
        Shortcut("↵", _("Send (or as your preferences say)")),
        Shortcut("⇧ ↵", _("New line")),
        Shortcut("Ctrl ↵", _("Send, always")),
        Shortcut("Ctrl ⇧ ↵", _("Send and resolve")),
        Shortcut("/", _("Quick answers")),
        Shortcut("↑", _("In an empty field: quote the last message received")),
    )
