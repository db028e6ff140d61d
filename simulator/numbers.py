"""The business numbers that the simulator plays Meta for, and where they are looked up."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

KEPT_SECONDS = 5.0


@dataclass(frozen=True)
class Number:
    """One business number as Meta knows it; the secret signs its webhooks, the token opens its Graph API."""

    waba_id: str
    phone_number_id: str
    display_phone_number: str
    verified_name: str
    app_secret: str = field(repr=False)
    token: str = field(repr=False)

    @property
    def digits(self) -> str:
        """The number as webhooks write it: digits only."""
        return "".join(character for character in self.display_phone_number if character.isdigit())


class NumberBook:
    """Asks for the numbers in a thread, keeps the answer some seconds, asks again when something is unknown."""

    def __init__(self, load: Callable[[], Sequence[Number]]) -> None:
        self._load = load
        self._numbers: list[Number] = []
        self._loaded_at = float("-inf")
        self._lock = asyncio.Lock()

    async def all(self) -> list[Number]:
        """Every number, at most some seconds old."""
        if time.monotonic() - self._loaded_at > KEPT_SECONDS:
            await self._refresh()
        return self._numbers

    async def get(self, phone_number_id: str) -> Number | None:
        """The number with this phone number id."""
        found = await self._where(lambda number: number.phone_number_id == phone_number_id)
        return found[0] if found else None

    async def with_token(self, token: str) -> list[Number]:
        """The numbers that this access token opens."""
        return await self._where(lambda number: number.token == token)

    async def first(self) -> Number | None:
        """The number that is meant when none is named."""
        numbers = await self._where(lambda number: True)
        return numbers[0] if numbers else None

    async def _where(self, wanted: Callable[[Number], bool]) -> list[Number]:
        found = [number for number in await self.all() if wanted(number)]
        if not found:
            await self._refresh()
            found = [number for number in self._numbers if wanted(number)]
        return found

    async def _refresh(self) -> None:
        asked_at = time.monotonic()
        async with self._lock:
            if self._loaded_at > asked_at:
                return
            self._numbers = list(await asyncio.to_thread(self._load))
            self._loaded_at = time.monotonic()
