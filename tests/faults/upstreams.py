"""The reverse proxy in front of two web processes, as nginx does it: what one does not take, the other gets."""

import time
from typing import Any

import aiohttp

# nginx: proxy_connect_timeout, proxy_read_timeout, fail_timeout.
CONNECT_SECONDS = 1.0
READ_SECONDS = 4.0
SHUN_SECONDS = 1.0
NEXT = (502, 503, 504)
AWAY = 502
# Below the five seconds after which the product closes an idle connection: else a request can meet its end.
KEEP_SECONDS = 2


class Upstreams:
    """Requests to the web processes in turn; a status of 502 means that none of them answered."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.urls: list[str] = []
        self.taken: dict[str, int] = {}  # answers 200 of each
        self.errors: dict[str, int] = {}  # why one did not answer
        self._turn = 0
        self._shunned: dict[str, float] = {}

    async def request(self, method: str, path: str, **options: Any) -> tuple[int, bytes]:
        """Status and body of the first usable answer, or of the last one."""
        answer = (AWAY, b"")
        for url in self._in_turn():
            timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, total=CONNECT_SECONDS + READ_SECONDS)
            try:
                async with self.session.request(method, url + path, timeout=timeout, **options) as response:
                    answer = (response.status, await response.read())
            except (TimeoutError, aiohttp.ClientError, OSError) as error:
                name = type(error).__name__
                self.errors[name] = self.errors.get(name, 0) + 1
                self._shunned[url] = time.monotonic() + SHUN_SECONDS
                continue
            if answer[0] == 200:
                self.taken[url] = self.taken.get(url, 0) + 1
            if answer[0] not in NEXT:
                break
        return answer

    def _in_turn(self) -> list[str]:
        """All of them: the next in turn first, those that just failed last."""
        self._turn += 1
        start, now = self._turn % max(len(self.urls), 1), time.monotonic()
        turned = self.urls[start:] + self.urls[:start]
        return sorted(turned, key=lambda url: self._shunned.get(url, 0.0) > now)
