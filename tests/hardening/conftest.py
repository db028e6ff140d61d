from tests.conversations.ingest.conftest import fresh_keys, inbox, writer  # noqa: F401 (the same fixtures)
