"""The customers' side in a test's words: phones of their own, and what the business sent them."""

import itertools
import json
import random
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

CLAIMS, SALES = "100000000000001", "100000000000002"  # the demo's two phone number ids
AT_ONCE = 50
_numbers = itertools.count(random.randrange(10**5) * 100)


class Simulation:
    """The control API of a running demo."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/simulator/api/"
        self.moved = False

    def call(self, path: str, wanted: dict[str, Any] | None = None) -> Any:
        """GET, or POST with `wanted`; the answer's JSON."""
        body = None if wanted is None else json.dumps(wanted).encode()
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def settings(self, **wanted: Any) -> None:
        """How Meta's side behaves from now on, until the test ends."""
        self.call("settings", wanted)

    def move_clock(self, **wanted: int) -> None:
        """`offset` or `advance`, in seconds."""
        self.moved = True
        self.call("clock", wanted)

    def behave(self) -> None:
        """Everything back to normal, and the product told: it looks at the clock once a second."""
        self.settings(reset=True)
        if self.moved:
            self.move_clock(offset=0)
            time.sleep(2.2)
            self.moved = False

    def customer(self, name: str, to: str = CLAIMS) -> "Customer":
        """Somebody whom the business does not know yet."""
        number = next(_numbers)
        return Customer(self, f"{name} {number % 10**4:04}", f"3479{number:07}", to)


class Customer:
    """A person with a phone."""

    def __init__(self, simulation: Simulation, name: str, number: str, to: str) -> None:
        self.simulation, self.name, self.number, self.to = simulation, name, number, to

    def does(self, **message: Any) -> str:
        """Send any kind of message; returns its wamid once the product has answered the webhook."""
        wanted = {"from": self.number, "name": self.name, "to": self.to, **message}
        return self.simulation.call("messages", wanted)["wamid"]

    def writes(self, text: str, **more: Any) -> str:
        """Send a text; returns its wamid."""
        return self.does(text=text, **more)

    def writes_many(self, texts: list[str]) -> None:
        """Send many texts as fast as Meta would after an outage: batched, several webhooks at a time."""
        self.simulation.settings(batch=50, parallel=2)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self.writes, texts))
        self.simulation.settings(batch=1, parallel=1)

    def received(self) -> list[dict[str, Any]]:
        """What the business sent to this person, oldest first: whole Graph bodies with `wamid`; read marks left out."""
        rows = self.simulation.call(f"sent?to={urllib.parse.quote(self.number)}")
        return [row["request"] | {"wamid": row["wamid"]} for row in rows if not row.get("read")]

    def texts(self) -> list[str]:
        """The texts the business sent."""
        return [message["text"]["body"] for message in self.received() if message["type"] == "text"]

    def waits_for(self, count: int) -> list[dict[str, Any]]:
        """What was received, once it is `count` messages; fails after 10 s."""
        deadline = time.monotonic() + 10
        while len(found := self.received()) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} messages arrived"
            time.sleep(0.05)
        return found
