"""Meta's error codes, the HTTP status of each, and the exact shape in which the Graph API tells them."""

import secrets
import string
from dataclasses import dataclass
from typing import Any

HELP_URL = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"
LATER = 0  # no HTTP error: the send is accepted, a status `failed` follows

# code: (HTTP status or LATER, title, details). Source: Meta's page of error codes.
CODES: dict[int, tuple[int, str, str]] = {
    0: (401, "AuthException", "We were unable to authenticate the app user."),
    1: (400, "API Unknown", "Invalid request or possible server error."),
    2: (503, "API Service", "Temporary due to downtime or due to being overloaded."),
    3: (500, "API Method", "Capability or permissions issue."),
    4: (429, "Application request limit reached", "The app has reached its API call rate limit."),
    10: (403, "Permission Denied", "Permission is either not granted or has been removed."),
    33: (400, "Parameter value is not valid", "The business phone number has been deleted."),
    100: (400, "Invalid parameter", "The request included one or more unsupported or misspelled parameters."),
    190: (401, "Error validating access token", "The access token has expired or was revoked."),
    200: (403, "API Permission", "Permission is either not granted or has been removed."),
    368: (403, "Temporarily blocked for policies violations", "The account has been restricted."),
    80007: (429, "Rate limit issues", "The WhatsApp Business Account has reached its rate limit."),
    130429: (429, "Rate limit hit", "Cloud API message throughput has been reached."),
    130472: (LATER, "User's number is part of an experiment", "Message was not sent as part of an experiment."),
    130497: (403, "Business account is restricted from messaging users in this country.", "Country not allowed."),
    131000: (500, "Something went wrong", "Message failed to send due to an unknown error."),
    131005: (403, "Access denied", "Permission is either not granted or has been removed."),
    131008: (400, "Required parameter is missing", "The request is missing a required parameter."),
    131009: (400, "Parameter value is not valid", "One or more parameter values are invalid."),
    131016: (500, "Service unavailable", "A service is temporarily unavailable."),
    131021: (400, "Recipient cannot be sender", "Sender and recipient phone number is the same."),
    131026: (LATER, "Message undeliverable", "Message Undeliverable."),
    131030: (400, "Recipient phone number not in allowed list", "Add the recipient to the allowed list and try again."),
    131031: (403, "Account has been locked", "The account has been restricted or disabled."),
    131037: (400, "Display name not approved", "The number's display name has not been approved."),
    131042: (LATER, "Business eligibility payment issue", "There is an issue with the payment method."),
    131045: (LATER, "Incorrect certificate", "Message failed to send due to a phone number registration error."),
    131047: (
        LATER,
        "Re-engagement message",
        "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
    ),
    131048: (LATER, "Spam rate limit hit", "There are restrictions on how many messages this number can send."),
    131049: (
        LATER,
        "This message was not delivered to maintain healthy ecosystem engagement.",
        "In order to maintain a healthy ecosystem engagement, the message failed to be delivered.",
    ),
    131050: (LATER, "Unable to deliver the message.", "The recipient has stopped marketing messages from you."),
    131051: (400, "Unsupported message type", "Message type is currently not supported."),
    131052: (LATER, "Media download error", "Unable to download the media sent by the user."),
    131053: (LATER, "Media upload error", "Unable to upload the media used in the message."),
    131056: (429, "Pair rate limit hit", "Too many messages sent from this number to the same recipient."),
    131057: (503, "Account in maintenance mode", "The business account is in maintenance mode."),
    131062: (400, "Business-scoped user id not supported", "This message needs a phone number as recipient."),
    132000: (400, "Number of parameters does not match the expected number of params", "Count the parameters."),
    132001: (404, "Template name does not exist in the translation", "The template does not exist in this language."),
    132005: (400, "Translated text too long", "The translated text is too long."),
    132007: (400, "Format character policy violated", "The template violated a policy."),
    132012: (400, "Parameter format does not match format in the created template", "A parameter has a wrong format."),
    132015: (400, "Template is Paused", "The template is paused due to low quality."),
    132016: (400, "Template is Disabled", "The template has been disabled due to low quality."),
    133010: (400, "Account not registered", "The number is not registered on the WhatsApp Business Platform."),
    133016: (429, "Account registration deregistration rate limit exceeded", "Too many attempts."),
}


@dataclass(eq=False)
class GraphError(Exception):
    """An error as the Graph API answers it."""

    status: int
    code: int
    message: str
    details: str | None = None
    subcode: int | None = None
    kind: str = "OAuthException"

    def body(self) -> dict[str, Any]:
        """The JSON object that Meta sends."""
        error: dict[str, Any] = {"message": self.message, "type": self.kind, "code": self.code}
        if self.details is not None:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details}
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        error["fbtrace_id"] = "A" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(22))
        return {"error": error}


def from_code(code: int, http_status: int | None = None, details: str | None = None) -> GraphError:
    """The error that Meta answers for a code; unknown codes are 400 unless a status is given."""
    status, title, usual = CODES.get(code, (400, "Something went wrong", "Something went wrong."))
    return GraphError(http_status or status or 400, code, f"(#{code}) {title}", details or usual)


def bad_parameter(details: str) -> GraphError:
    """A request that says something impossible: 400, code 100."""
    return GraphError(400, 100, "(#100) Invalid parameter", details)


def bad_token() -> GraphError:
    """No access token, or one that opens nothing: 401, code 190."""
    return GraphError(401, 190, "Invalid OAuth access token - Cannot parse access token", None)


def unknown_object(method: str, name: str) -> GraphError:
    """An id that does not exist or that the token may not see: 400, code 100, subcode 33."""
    return GraphError(
        400,
        100,
        f"Unsupported {method.lower()} request. Object with ID '{name}' does not exist, cannot be loaded due to "
        "missing permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api",
        subcode=33,
        kind="GraphMethodException",
    )


def is_later(code: int) -> bool:
    """Whether Meta accepts the send and reports this code by a status."""
    return CODES.get(code, (400, "", ""))[0] == LATER


def in_status(code: int, details: str | None = None) -> dict[str, Any]:
    """The same error as a `failed` status lists it."""
    _, title, usual = CODES.get(code, (400, "Something went wrong", "Something went wrong."))
    return {
        "code": code,
        "title": title,
        "message": title,
        "error_data": {"details": details or usual},
        "href": HELP_URL,
    }
