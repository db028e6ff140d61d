"""Letters to members of staff, in the language of who gets them; the texts are in templates/account/mail."""

from typing import Any

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext_noop

from crm.foundation import mail
from crm.staff.models import User

SUBJECTS = {
    "invitation": gettext_noop("You are invited to Ventanilla"),
    "reset": gettext_noop("A new password for Ventanilla"),
    "password_changed": gettext_noop("Your password for Ventanilla was changed"),
    "factor_removed": gettext_noop("A second factor of yours for Ventanilla was removed"),
    "sso_linked": gettext_noop("Your account in Ventanilla was linked with single sign-on"),
}


def post(user: User, name: str, *, only_if: bool = True, **values: Any) -> None:
    """Send one of `SUBJECTS` after this transaction; written in any case: it takes as long if it is not sent."""
    with translation.override(user.language):
        text = render_to_string(f"account/mail/{name}.txt", {"name": user.name, **values})
        subject = translation.gettext(SUBJECTS[name])
    if only_if:
        mail.post(user.email, subject, text)
