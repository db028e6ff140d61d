"""The signature of a webhook as a header."""

from conversations.graphapi.signature import sign
from tests.webhooks import SECRET

NAME = b"x-hub-signature-256"


def signed(raw, secret=SECRET):
    """The headers of a body that this secret signs."""
    return [(NAME, sign(secret, raw).encode())]
