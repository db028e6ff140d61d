"""Commands whose acts are recorded."""

import contextlib
import getpass
from typing import Any

from django.core.management.base import BaseCommand

from crm.audit import log
from crm.audit.models import AuditEntry


class AuditedCommand(BaseCommand):
    """What it does is recorded as done at the command line, by whoever is signed in to the machine."""

    def execute(self, *args: Any, **options: Any) -> Any:
        """Run it."""
        with log.acting(log.Origin(AuditEntry.Source.COMMAND, user_name=_login_name())):
            return super().execute(*args, **options)


def _login_name() -> str:
    with contextlib.suppress(OSError, KeyError, ImportError):  # a container's user may have no name
        return getpass.getuser()[:150]
    return ""
