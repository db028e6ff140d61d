"""What a person allowed, changed by an agent who was told so."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from conversations.desk.consents import REASON_LONGEST, standings_of
from conversations.desk.forms import BadForm
from conversations.desk.gate import DeskRequest, conversation_or_404, desk_view
from crm.consent import ledger
from crm.consent.models import ConsentEvent, Purpose, State
from crm.foundation.text import clean_text


@desk_view("POST")
def consents(request: DeskRequest, pk: int) -> HttpResponse:
    """Record that the contact granted or withdrew (`state`) a `purpose`, with the `reason` why we know; 422 without."""
    chosen = conversation_or_404(request, pk)
    purpose, state = request.POST.get("purpose", ""), request.POST.get("state", "")
    if purpose not in Purpose.values or state not in State.values:
        raise BadForm(_("The page sent an incomplete request. Reload it and try again."))
    reason = " ".join(clean_text(request.POST.get("reason", "")).split())
    error = _check(reason)
    if not error:
        try:
            ledger.record(
                chosen.contact, purpose=purpose, state=state, source=ConsentEvent.Source.AGENT, by=request.user,
                evidence={"reason": reason, "conversation": chosen.pk},
            )  # fmt: skip
        except ledger.OnlyThePerson as refusal:
            error = str(refusal)
    standings = standings_of(chosen.contact, purpose=purpose, error=error, reason=reason if error else "")
    context = {"standings": standings, "conversation": chosen}
    return render(request, "inbox/_panel_consents.html", context, status=422 if error else 200)


def _check(reason: str) -> str:
    if not reason:
        return _("Write how you know: what the person said, and where.")
    if len(reason) > REASON_LONGEST:
        return _("This is too long: %(most)d characters at most.") % {"most": REASON_LONGEST}
    return ""
