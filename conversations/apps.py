"""The conversations app: what it registers at start."""

import importlib

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConversationsConfig(AppConfig):
    name = "conversations"
    verbose_name = _("Conversations")

    def ready(self) -> None:
        """Connect the receivers and announce the drains; starts no thread."""
        importlib.import_module("conversations.reactions")
