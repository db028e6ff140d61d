"""Index of the app's API routes: (prefix, viewset, basename)."""

from crm.consent.api import ConsentsOfContact
from crm.contacts.api import ContactByExternalId, ContactViewSet
from crm.contacts.describing_api import AttributeViewSet, StageViewSet, TagViewSet
from crm.contacts.history_api import EventsOfContact, FilesOfContact, NotesOfContact, PointsOfContact
from crm.contacts.of_contact import ID_PATTERN
from crm.exchange.api import ImportViewSet
from crm.merging.api import MergesOfContact, SplitOfContact
from crm.privacy.api import ErasuresOfContact, ExportsOfContact
from crm.segments.api import SegmentViewSet
from crm.staff.api import TeamViewSet, UserViewSet

routes = [
    ("attributes", AttributeViewSet, "attribute"),
    ("contacts", ContactViewSet, "contact"),
    ("contacts/by-external-id", ContactByExternalId, "contact-by-external-id"),
    (rf"contacts/(?P<contact>{ID_PATTERN})/consents", ConsentsOfContact, "contact-consent"),
    (rf"contacts/(?P<contact>{ID_PATTERN})/erasure", ErasuresOfContact, "contact-erasure"),
    (rf"contacts/(?P<contact>{ID_PATTERN})/events", EventsOfContact, "contact-event"),
    (rf"contacts/(?P<contact>{ID_PATTERN})/export", ExportsOfContact, "contact-export"),
    (rf"contacts/(?P<contact>{ID_PATTERN})/files", FilesOfContact, "contact-file"),
    (rf"contacts/(?P<contact>{ID_PATTERN})/merge", MergesOfContact, "contact-merge"),
    (rf"contacts/(?P<contact>{ID_PATTERN})/notes", NotesOfContact, "contact-note"),
    (rf"contacts/(?P<contact>{ID_PATTERN})/points", PointsOfContact, "contact-point"),
    (rf"contacts/(?P<contact>{ID_PATTERN})/split", SplitOfContact, "contact-split"),
    ("imports", ImportViewSet, "import"),
    ("segments", SegmentViewSet, "segment"),
    ("stages", StageViewSet, "stage"),
    ("tags", TagViewSet, "tag"),
    ("teams", TeamViewSet, "team"),
    ("users", UserViewSet, "user"),
]
