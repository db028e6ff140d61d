"""Index of the app's API routes: (prefix, viewset, basename)."""

from crm.contacts.api import ContactViewSet, TagViewSet

routes = [
    ("contacts", ContactViewSet, "contact"),
    ("tags", TagViewSet, "tag"),
]
