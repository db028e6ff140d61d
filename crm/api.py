"""Index of the app's API routes: (prefix, viewset, basename)."""

from crm.contacts.api import ID_PATTERN, AttributeViewSet, ContactViewSet, NotesOfContact, TagViewSet
from crm.staff.api import TeamViewSet, UserViewSet

routes = [
    ("attributes", AttributeViewSet, "attribute"),
    ("contacts", ContactViewSet, "contact"),
    (rf"contacts/(?P<contact>{ID_PATTERN})/notes", NotesOfContact, "contact-note"),
    ("tags", TagViewSet, "tag"),
    ("teams", TeamViewSet, "team"),
    ("users", UserViewSet, "user"),
]
