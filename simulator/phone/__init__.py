"""The phone page, where a person plays customers, and the clerk's page; Spanish and English, an own dictionary."""

import html
import json
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from simulator.phone.words import WORDS
from simulator.recording import can_convert

FOLDER = Path(__file__).parent
KINDS = {".css": "text/css", ".js": "text/javascript"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Phone:
    """Serves the pages and their files, read once at the start."""

    def __init__(self, locale: str) -> None:
        self._locale = locale if locale in WORDS else "es"
        icons = (FOLDER / "icons.svg").read_text(encoding="utf-8")
        self._pages = {
            (name, language): _page((FOLDER / f"{name}.html").read_text(encoding="utf-8"), icons, language)
            for name in ("phone", "clerk")
            for language in WORDS
        }
        self._static = {file.name: file.read_bytes() for file in FOLDER.iterdir() if file.suffix in KINDS}

    def routes(self) -> list[Route]:
        """The pages and their files."""
        return [
            Route("/", self._show),
            Route("/clerk", self._to_clerk),
            Route("/clerk/", self._clerk),
            Route("/static/{name}", self._file),
        ]

    async def _show(self, request: Request) -> Response:
        return self._answer(request, "phone")

    async def _clerk(self, request: Request) -> Response:
        return self._answer(request, "clerk")

    async def _to_clerk(self, request: Request) -> Response:
        return RedirectResponse("clerk/")

    def _answer(self, request: Request, name: str) -> Response:
        language = self._language(request.query_params.get("lang"), request.headers.get("accept-language", ""))
        headers = {**HEADERS, "Content-Language": language, "Vary": "Accept-Language"}
        return HTMLResponse(self._pages[name, language], headers=headers)

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._static:
            return Response(status_code=404)
        return Response(self._static[name], media_type=KINDS[Path(name).suffix], headers=HEADERS)

    def _language(self, asked: str | None, accepted: str) -> str:
        """What ?lang= says, else the browser's first language that there is, else the default."""
        if asked in WORDS:
            return str(asked)
        for part in accepted.split(","):
            language = part.split(";")[0].strip().lower().split("-")[0]
            if language in WORDS:
                return language
        return self._locale


def _page(template: str, icons: str, language: str) -> str:
    words = WORDS[language]
    filled = re.sub(r"{{ (\w+) }}", lambda match: html.escape(words[match[1]]), template)
    blocks = {
        "WORDS": json.dumps(words).replace("<", "\\u003c"),
        "LANGUAGE": language,
        "ICONS": icons,
        "CONVERTS": "1" if can_convert() else "0",
    }
    return re.sub(r"{{([A-Z]+)}}", lambda match: blocks[match[1]], filled)
