"""The phone page: where a person plays a customer. Spanish and English, its own small dictionary."""

import html
import json
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from simulator.phone.words import WORDS

FOLDER = Path(__file__).parent
STATIC = {
    "phone.css": "text/css",
    "phone.js": "text/javascript",
    "bubbles.js": "text/javascript",
}
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
    """Serves the page and its files, read once at the start."""

    def __init__(self, locale: str) -> None:
        self._locale = locale if locale in WORDS else "es"
        template = (FOLDER / "phone.html").read_text(encoding="utf-8")
        self._pages = {language: _page(template, language) for language in WORDS}
        self._static = {name: (FOLDER / name).read_bytes() for name in STATIC}

    def routes(self) -> list[Route]:
        """The page and its files."""
        return [Route("/", self._show), Route("/static/{name}", self._file)]

    async def _show(self, request: Request) -> Response:
        language = self._language(request.query_params.get("lang"), request.headers.get("accept-language", ""))
        headers = {**HEADERS, "Content-Language": language, "Vary": "Accept-Language"}
        return HTMLResponse(self._pages[language], headers=headers)

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._static:
            return Response(status_code=404)
        return Response(self._static[name], media_type=STATIC[name], headers=HEADERS)

    def _language(self, asked: str | None, accepted: str) -> str:
        """What ?lang= says, else the browser's first language that there is, else the default."""
        if asked in WORDS:
            return str(asked)
        for part in accepted.split(","):
            language = part.split(";")[0].strip().lower().split("-")[0]
            if language in WORDS:
                return language
        return self._locale


def _page(template: str, language: str) -> str:
    words = WORDS[language]
    data = json.dumps(words).replace("<", "\\u003c")
    filled = re.sub(r"{{ (\w+) }}", lambda match: html.escape(words[match[1]]), template)
    return filled.replace("{{WORDS}}", data).replace("{{LANGUAGE}}", language)
