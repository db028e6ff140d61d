"""Index of the app's pages in the administration."""

from conversations.answers import admin as answers
from conversations.desk import admin as desk
from conversations.inboxes import admin as inboxes
from conversations.ingest import admin as ingest
from conversations.messaging import admin as messaging
from conversations.messaging import fence_admin as fence
from conversations.notices import admin as notices

__all__ = ["answers", "desk", "fence", "inboxes", "ingest", "messaging", "notices"]
