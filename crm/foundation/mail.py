"""Letters: sent after the transaction by one thread of this process, so that nobody waits for a mail server, nor learns
from the time an answer takes whether there was a letter to send.
"""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import structlog
from django.core.mail import EmailMessage
from django.db import transaction

log = structlog.get_logger(__name__)

_lock = threading.Lock()
_sender: ThreadPoolExecutor | None = None


def post(to: str, subject: str, text: str) -> None:
    """Send a letter once this transaction is committed. What the mail server refuses is logged, without the address."""
    message = EmailMessage(" ".join(subject.split()), text, to=[to])
    transaction.on_commit(lambda: _hand_over(message))


def flush(seconds: float = 10) -> None:
    """Wait until everything handed over so far has left."""
    _executor().submit(lambda: None).result(seconds)


def _hand_over(message: EmailMessage) -> None:
    _executor().submit(message.send).add_done_callback(_report)


def _executor() -> ThreadPoolExecutor:
    global _sender
    with _lock:
        if _sender is None:
            _sender = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")
        return _sender


def _report(sent: "Future[int]") -> None:
    error = sent.exception()
    if error is not None:
        log.error("mail not sent", error=type(error).__name__)
