"""Why a message is not taken: one refusal per fact."""

from crm.foundation.errors import Refusal


class SendRefused(Refusal):
    """Base of the refusals of the composer; desk answers 422, the API 409."""


class ServiceWindowClosed(SendRefused):
    code = "window_closed"


class ReadOnlyConversation(SendRefused):
    code = "read_only"


class EmptyMessage(SendRefused):
    code = "empty"


class TextTooLong(SendRefused):
    code = "too_long"


class NotQuotable(SendRefused):
    code = "reply_to"


class MediaRefused(SendRefused):
    code = "media_type"


class MediaTooLarge(SendRefused):
    code = "too_big"


class SoundRefused(SendRefused):
    code = "sound"


class ConsentMissing(SendRefused):
    code = "consent_missing"


class BadTime(SendRefused):
    code = "send_at"


class NotRetryable(SendRefused):
    code = "not_retryable"
