"""`manage.py erasures`: whom to forget again after a restore: write the hashes down, or apply them."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm.consent import restoring
from crm.foundation import work
from crm.foundation.errors import Refusal
from crm.privacy import remembered, requests


class Command(BaseCommand):
    help = (
        "Write the keyed hashes of everybody erased to a file (--write), to be kept apart from the backups; or erase"
        " again whom a restored backup has brought back (--apply): by this machine's own list, and those of files."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """One of the two."""
        way = parser.add_mutually_exclusive_group(required=True)
        way.add_argument("--write", type=Path, metavar="FILE")
        way.add_argument("--apply", nargs="*", type=Path, metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and say how many."""
        if options["write"] is not None:
            count = remembered.write(options["write"], remembered.in_database())
            self.stdout.write(f"{count} hashes written to {options['write']}.")
            return
        lost = [str(file) for file in options["apply"] if not file.is_file()]
        if lost:
            raise CommandError(f"There is no file {', '.join(lost)}.")
        known = remembered.all_known(options["apply"])
        self.stdout.write(f"{restoring.bring_back(options['apply'])} addresses put on the suppression list again.")
        back = remembered.come_back(known)
        for pk in back:
            try:
                remembered.erase_again(pk)
            except Refusal as refusal:
                self.stdout.write(f"Contact {pk}: {refusal}")
        work.run_until_idle(requests.DRAIN)
        left = remembered.come_back(known)
        self.stdout.write(f"{len(back) - len(left)} people erased again.")
        if left:
            raise CommandError(f"{len(left)} people are still there (legal holds?): see the requests about data.")
