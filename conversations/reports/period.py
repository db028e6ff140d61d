"""The days a report speaks of, as the address says them, in the reader's time zone."""

import datetime as dt
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext_lazy

from crm.foundation import clock

PARAMETER = "period"
CHOICES = {
    "1": gettext_lazy("Today"),
    "7": gettext_lazy("7 days"),
    "14": gettext_lazy("14 days"),
    "30": gettext_lazy("30 days"),
}
USUAL = "14"


@dataclass(frozen=True)
class Period:
    """Whole days up to now; today is the last."""

    days: int
    today: dt.date
    zone: dt.tzinfo

    @classmethod
    def of(cls, text: str | None) -> "Period":
        """The period of that many days; what is no choice is the usual one."""
        days = int(text) if text in CHOICES else int(USUAL)
        return cls(days, timezone.localtime(clock.now()).date(), timezone.get_current_timezone())

    @property
    def key(self) -> str:
        """As the address has it."""
        return str(self.days)

    @property
    def since(self) -> dt.datetime:
        """Its first moment."""
        return self.midnight(self.today - dt.timedelta(days=self.days - 1))

    @property
    def before(self) -> dt.datetime:
        """The first moment of the period of the same length before it."""
        return self.midnight(self.today - dt.timedelta(days=2 * self.days - 1))

    @property
    def dates(self) -> list[dt.date]:
        """Its days, oldest first."""
        return [self.today - dt.timedelta(days=back) for back in range(self.days - 1, -1, -1)]

    def midnight(self, day: dt.date) -> dt.datetime:
        """When a day begins."""
        return dt.datetime.combine(day, dt.time(), self.zone)
