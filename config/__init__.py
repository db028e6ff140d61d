"""Wiring: settings, URLs, the ASGI callable and the server."""
