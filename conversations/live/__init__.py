"""Live hints: the only sender to sockets and to Django Channels."""
