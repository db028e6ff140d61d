"""The simulator on its own: python -m simulator --port 9000 --callback-url … --number …"""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route

from simulator.app import ROOT, Simulator
from simulator.numbers import Number

KEYS = {
    "waba_id": "waba_id",
    "phone_number_id": "phone_number_id",
    "display": "display_phone_number",
    "name": "verified_name",
    "secret": "app_secret",
    "token": "token",
}


def number_from(text: str) -> Number:
    """A number from waba_id=…,phone_number_id=…,display=…,name=…,secret=…,token=…"""
    pairs = dict(part.partition("=")[::2] for part in text.split(","))
    if set(pairs) != set(KEYS) or not all(pairs.values()):
        raise argparse.ArgumentTypeError(f"needs exactly {', '.join(KEYS)}, each with a value: {text!r}")
    return Number(**{KEYS[key]: value for key, value in pairs.items()})


def application(simulator: Simulator) -> Starlette:
    """The simulator under /simulator/ with its start and its end."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await simulator.startup()
        try:
            yield
        finally:
            await simulator.shutdown()

    home = Route("/", lambda request: RedirectResponse(f"{ROOT}/"))
    return Starlette(routes=[home, Mount(ROOT, app=simulator)], lifespan=lifespan)


def main() -> None:
    """Read the arguments and serve on 127.0.0.1 until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--callback-url", default="http://127.0.0.1:8000/webhooks/whatsapp/")
    parser.add_argument("--data-dir", type=Path, default=Path("var"))
    parser.add_argument("--clock-file", type=Path, help="default: clock in the data folder")
    parser.add_argument("--locale", choices=("es", "en"), default="es")
    parser.add_argument("--number", type=number_from, action="append", required=True, metavar="KEY=VALUE,…")
    options = parser.parse_args()
    simulator = Simulator(
        data_dir=options.data_dir,
        clock_file=options.clock_file or options.data_dir / "clock",
        callback_url=lambda: str(options.callback_url),
        load_numbers=lambda: list(options.number),
        locale=options.locale,
    )
    print(f"The phone page: http://127.0.0.1:{options.port}{ROOT}/", flush=True)
    print(f"The Graph API:  http://127.0.0.1:{options.port}{ROOT}/graph/", flush=True)
    uvicorn.run(
        application(simulator),
        host="127.0.0.1",
        port=options.port,
        log_level="warning",
        lifespan="on",
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
