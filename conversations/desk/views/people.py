"""The contact panel: further phones and e-mails, and files about the contact."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from conversations.desk import panel as panels
from conversations.desk.forms import read_pk
from conversations.desk.gate import DeskRequest, conversation_or_404, desk_view
from crm.contacts import files as papers
from crm.contacts import points, profile
from crm.contacts.models import Contact, ContactFile, ContactPoint


@desk_view("POST")
def contact_points(request: DeskRequest, pk: int) -> HttpResponse:
    """Add a phone or e-mail (`value`, `label`), put one first (`first`: its id), or end one (`off`: its id)."""
    chosen = conversation_or_404(request, pk)
    contact, by = chosen.contact, request.user
    ended, first = (read_pk(request.POST.get(name, "")) for name in ("off", "first"))
    if ended is not None:
        profile.end_point(get_object_or_404(ContactPoint, pk=ended, contact=contact), by=by)
    elif first is not None:
        point = get_object_or_404(ContactPoint, pk=first, contact=contact, until=None)
        profile.add_point(contact, point.kind, point.value, by=by, is_primary=True)
    else:
        value = request.POST.get("value", "")
        kind = points.EMAIL if "@" in value else points.PHONE
        profile.add_point(contact, kind, value, by=by, label=request.POST.get("label", ""))
    present = Contact.objects.get(pk=contact.pk)
    context = panels.points_of(list(points.current(present)), by) | {"conversation": chosen}
    return render(request, "inbox/_panel_points.html", context)


@desk_view("POST")
def contact_files(request: DeskRequest, pk: int) -> HttpResponse:
    """Keep a file about the contact, or delete the one in `off`."""
    chosen = conversation_or_404(request, pk)
    gone, upload = read_pk(request.POST.get("off", "")), request.FILES.get("file")
    if gone is not None:
        papers.delete(get_object_or_404(ContactFile, pk=gone, contact=chosen.contact), by=request.user)
    elif upload is None:
        raise papers.BadFile.none_chosen()
    else:
        papers.add(chosen.contact, upload, by=request.user, claimed=upload.content_type or "")
    return render(request, "inbox/_panel_papers.html", panels.papers_of(chosen.contact) | {"conversation": chosen})


@desk_view("GET")
def contact_file(request: DeskRequest, pk: int) -> HttpResponse:
    """The bytes of a file about a contact one sees."""
    visible = Contact.objects.visible_to(request.user)
    return papers.download(get_object_or_404(ContactFile, pk=pk, contact__in=visible))
