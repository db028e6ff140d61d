"""The contact panel: its fragments, and what is changed there."""

from dataclasses import replace
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _

from conversations.desk import panel as panels
from conversations.desk import panel_fields
from conversations.desk.forms import BadForm, read_pk, read_version
from conversations.desk.gate import DeskRequest, conversation_or_404, desk_view
from crm.contacts import attributes, notes, profile, reading, timeline
from crm.contacts.models import Contact, ContactNote
from crm.foundation.errors import Conflict


@desk_view("GET")
def panel(request: DeskRequest, pk: int) -> HttpResponse:
    """All of it but the timeline."""
    chosen = conversation_or_404(request, pk)
    context = panels.panel_of(chosen, request.user) | {"timeline_groups": timeline.groups}
    return render(request, "inbox/_panel.html", context)


@desk_view("GET")
def events(request: DeskRequest, pk: int) -> HttpResponse:
    """A page of the timeline, of one group (`kind`) or of all."""
    chosen = conversation_or_404(request, pk)
    kind, cursor = request.GET.get("kind", ""), request.GET.get("cursor", "")
    page = timeline.page(chosen.contact, request.user, group=kind, cursor=cursor)
    if page is None:
        raise Http404
    return render(request, "inbox/_panel_timeline.html", {"page": page, "kind": kind, "conversation": chosen})


@desk_view("GET")
def files(request: DeskRequest, pk: int) -> HttpResponse:
    """The next files."""
    chosen = conversation_or_404(request, pk)
    try:
        found, cursor = panels.files_of(chosen, request.user, request.GET.get("cursor", ""))
    except ValueError as error:
        raise Http404 from error
    return render(request, "inbox/_panel_files.html", {"files": found, "files_cursor": cursor, "conversation": chosen})


@desk_view("POST")
def contact(request: DeskRequest, pk: int) -> HttpResponse:
    """Save one field; 422 with what is wrong, 409 with both values if somebody changed it since `version`."""
    chosen = conversation_or_404(request, pk)
    name, text = request.POST.get("field", ""), request.POST.get("value", "")
    if panel_fields.field_of(chosen.contact, name, request.user) is None:
        raise BadForm(_("The page sent an incomplete request. Reload it and try again."))
    marks: dict[str, Any] = {}
    status = 200
    try:
        _write(chosen.contact, name, text, request)
    except Conflict:
        status, marks = 409, {"mine": text, "is_stale": True}
    except attributes.InvalidValue as error:
        status, marks = 422, {"mine": text, "error": str(error)}
    present = panel_fields.field_of(Contact.objects.get(pk=chosen.contact_id), name, request.user)
    if present is None:  # a custom attribute that has just been deleted
        raise Http404
    context = {"field": replace(present, **marks), "conversation": chosen, "is_saved": status == 200}
    return render(request, "inbox/_panel_field.html", context, status=status)


def _write(contact: Contact, name: str, text: str, request: DeskRequest) -> None:
    version = read_version(request.POST)
    if name.startswith(profile.ATTRIBUTE):
        values = {name.removeprefix(profile.ATTRIBUTE): text}
        profile.write(contact, by=request.user, version=version, attributes=values)
    else:
        profile.write(contact, by=request.user, version=version, **{name: reading.read(name, text)})


@desk_view("POST")
def tags(request: DeskRequest, pk: int) -> HttpResponse:
    """Put a tag on (`tag`: its name) or take one off (`off`: its id)."""
    chosen = conversation_or_404(request, pk)
    gone = read_pk(request.POST.get("off", ""))
    if gone is not None:
        profile.untag(chosen.contact, gone, by=request.user)
    else:
        name, may_create = request.POST.get("tag", ""), request.user.has_perm("crm.add_tag")
        profile.tag(chosen.contact, name, by=request.user, may_create=may_create, reason=request.POST.get("reason", ""))
    return render(request, "inbox/_panel_tags.html", panels.tags_of(chosen.contact) | {"conversation": chosen})


@desk_view("GET", "POST")
def contact_notes(request: DeskRequest, pk: int) -> HttpResponse:
    """GET: notes older than `cursor`. POST: write one, or change (`text`) or delete (`delete`) the one in `note`."""
    chosen = conversation_or_404(request, pk)
    template, cursor = "inbox/_panel_note_items.html", read_pk(request.GET.get("cursor", ""))
    if request.method == "POST":
        template, cursor = "inbox/_panel_notes.html", None
        _change_notes(request, chosen.contact)
    found, further = panels.notes_of(chosen.contact, cursor)
    return render(request, template, {"notes": found, "notes_cursor": further, "conversation": chosen})


def _change_notes(request: DeskRequest, contact: Contact) -> None:
    text, pk = request.POST.get("text", ""), read_pk(request.POST.get("note", ""))
    if pk is None:
        notes.add(contact, text, by=request.user)
        return
    note = get_object_or_404(ContactNote, pk=pk, contact=contact)
    if "delete" in request.POST:
        notes.delete(note, by=request.user)
    else:
        notes.edit(note, text, by=request.user)
