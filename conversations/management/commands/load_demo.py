"""`manage.py load_demo`: an invented insurance broker with conversations, for an empty demo installation."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from conversations.demo import build


class Command(BaseCommand):
    help = "Fill an empty demo installation; one that has users already stays as it is."

    def handle(self, *args: Any, **options: Any) -> None:
        """Load it, or say why not."""
        if not settings.DEMO:
            raise CommandError("Demo data is only for a demo: its passwords are public. Set DEMO=1 to try the product.")
        if build.load():
            self.stdout.write("Demo data loaded: Correduría Alameda Seguros, two numbers, five people.")
        elif options["verbosity"] > 1:
            self.stdout.write("There are users already: nothing was loaded.")
