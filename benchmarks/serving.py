"""`python -m benchmarks.serving MODULE:APP PORT`: an ASGI callable on the product's server and its settings."""

import sys

import uvicorn

from config.serve import bind


def main() -> None:
    """Serve until told to end."""
    name, port = sys.argv[1], int(sys.argv[2])
    config = uvicorn.Config(
        name, lifespan="on", access_log=False, log_config=None, server_header=False, ws_max_size=4096,
        proxy_headers=False, timeout_graceful_shutdown=1,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[bind("127.0.0.1", port)])


if __name__ == "__main__":
    main()
