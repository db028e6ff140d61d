"""`manage.py backup DIR`: database and files as they are now, while everything runs."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from conversations.management import backups
from crm.audit import log
from crm.audit.commands import AuditedCommand
from crm.foundation.dumps import DumpFailed


class Command(AuditedCommand):
    help = "Back up the database and the files into a new folder while everything runs. Keep ENCRYPTION_KEYS apart."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to."""
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it, and say what is in it."""
        try:
            manifest = backups.write(options["folder"])
        except (backups.BadBackup, DumpFailed, OSError) as error:
            raise CommandError(str(error)) from error
        log.record("backed_up", changes={"folder": [None, options["folder"].name]})
        self.stdout.write(f"{options['folder']}: {manifest.server}, {manifest.database_bytes} bytes;")
        self.stdout.write(f"{manifest.media_files} files, {manifest.media_bytes} bytes.")
        self.stdout.write("Not in it: ENCRYPTION_KEYS and SECRET_KEY. Without the keys its secrets are unreadable.")
