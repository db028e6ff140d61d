"""The Graph API client: one object per account and number on a shared aiohttp session; it reads answers, it never
retries.
"""

from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import quote

import aiohttp
import orjson

from conversations.graphapi.errors import GraphError, NotSent, Refused, Unanswered

ANSWER_LIMIT = 1024 * 1024
TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
MEDIA_TIMEOUT = aiohttp.ClientTimeout(total=300, connect=5, sock_read=30)
CHUNK = 256 * 1024
NEVER_LEFT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)
WAMID_MAX = 256
MESSAGING_LIMIT = "whatsapp_business_manager_messaging_limit"  # since v24.0


@dataclass(frozen=True)
class MediaInfo:
    """What Graph says of a media id; `url` lives five minutes."""

    url: str
    mime_type: str
    sha256: str
    size: int


class TooLarge(GraphError):
    """A download went over its limit."""


class Gone(GraphError):
    """The media (or its URL) no longer exists."""


class GraphClient:
    """Calls for one number. All coroutines run on the loop that owns `session`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        base_url: str,
        version: str,
        auth: tuple[str, str],
        phone_number_id: str,
    ) -> None:
        self.session = session
        self.root = f"{base_url}/{version}" if version else base_url
        self.headers = {auth[0]: auth[1]}
        self.phone_number_id = phone_number_id

    async def send(self, body: dict[str, Any]) -> str:
        """POST one message and return its wamid. Raises NotSent, Refused, or Unanswered when the outcome is unknown."""
        answer = await self._post(f"{self.phone_number_id}/messages", body)
        messages = answer.get("messages")
        if isinstance(messages, list) and messages and isinstance(messages[0], dict):
            wamid = messages[0].get("id")
            if isinstance(wamid, str) and 0 < len(wamid) <= WAMID_MAX and wamid.isprintable():
                return wamid
        raise Unanswered("an answer without a message id")

    async def mark_read(self, wamid: str, *, typing: bool = False) -> None:
        """Mark an inbound message (and all before it) read; with `typing` also show the indicator for up to 25 s."""
        body: dict[str, Any] = {"messaging_product": "whatsapp", "status": "read", "message_id": wamid}
        if typing:
            body["typing_indicator"] = {"type": "text"}
        await self._post(f"{self.phone_number_id}/messages", body)

    async def upload(self, content: IO[bytes], *, mime_type: str, filename: str) -> str:
        """Upload media, read while it is sent, and return its id (valid 30 days)."""
        form = aiohttp.FormData()
        form.add_field("messaging_product", "whatsapp")
        form.add_field("type", mime_type)
        form.add_field("file", content, content_type=mime_type, filename=filename or "file")
        answer = await self._request("POST", f"{self.phone_number_id}/media", data=form, timeout=MEDIA_TIMEOUT)
        media_id = answer.get("id")
        if not isinstance(media_id, str) or not media_id:
            raise Unanswered("an upload without an id")
        return media_id

    async def media_info(self, media_id: str) -> MediaInfo:
        """Look up a media id; raises Gone for an unknown or expired one."""
        try:
            answer = await self._request(
                "GET", quote(media_id, safe=""), params={"phone_number_id": self.phone_number_id}
            )
        except Refused as error:
            if error.http_status == 404 or (error.code == 100 and error.subcode == 33):
                raise Gone(media_id) from error
            raise
        size = answer.get("file_size")
        return MediaInfo(
            url=str(answer.get("url") or ""),
            mime_type=str(answer.get("mime_type") or ""),
            sha256=str(answer.get("sha256") or ""),
            size=int(size)
            if isinstance(size, int) or (isinstance(size, str) and size.isascii() and size.isdigit())
            else 0,
        )

    async def download(self, url: str, *, limit: int) -> bytes:
        """The bytes behind a media URL, at most `limit` (counted while reading); raises TooLarge or NotSent."""
        try:
            async with self.session.get(
                url, headers=self.headers, timeout=MEDIA_TIMEOUT, allow_redirects=False
            ) as response:
                if response.status != 200:
                    raise NotSent(f"HTTP {response.status}")
                return await _body(response, limit)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotSent(type(error).__name__) from error

    async def phone_number(self) -> dict[str, Any]:
        """The number's own record: display_phone_number, verified_name, quality_rating …"""
        fields = "id,display_phone_number,verified_name,quality_rating,throughput,status"
        return await self._request("GET", self.phone_number_id, params={"fields": fields})

    async def messaging_tier(self) -> object:
        """The portfolio's messaging limit as Graph words it (TIER_250 …); None where it does not say."""
        try:
            answer = await self._request("GET", self.phone_number_id, params={"fields": MESSAGING_LIMIT})
        except GraphError:
            return None
        return answer.get(MESSAGING_LIMIT)

    async def read(self, path: str, *, app_token: str = "", **params: str) -> dict[str, Any]:
        """What Graph says of any node or edge; with `app_token` ("app id|app secret") it is asked as that app."""
        headers = {"Authorization": f"Bearer {app_token}"} if app_token else {}
        return await self._request("GET", path, params=params, headers=headers)

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        return await self._request("POST", path, data=orjson.dumps(body), headers=headers)

    async def _request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        headers = self.headers | options.pop("headers", {})
        timeout = options.pop("timeout", TIMEOUT)
        try:
            async with self.session.request(
                method, f"{self.root}/{path}", headers=headers, timeout=timeout, allow_redirects=False, **options
            ) as response:
                content = await _body(response, ANSWER_LIMIT)
                return _read(response.status, content, response.headers.get("Retry-After"))
        except NEVER_LEFT as error:
            raise NotSent(type(error).__name__) from error
        except TooLarge as error:
            raise Unanswered("an endless answer") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unanswered(type(error).__name__) from error


async def _body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK):
        content += chunk
        if len(content) > limit:
            raise TooLarge(f"more than {limit} bytes")
    return bytes(content)


def _read(status: int, content: bytes, retry_after: str | None) -> dict[str, Any]:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise Unanswered(f"HTTP {status} without JSON")
    error = answer.get("error")
    if isinstance(error, dict):
        wait = float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else None
        raise Refused(status, error, wait)
    if status != 200:
        raise Unanswered(f"HTTP {status} without an error object")
    return answer
