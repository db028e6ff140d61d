"""How the administration looks and what its menu holds (django-unfold's settings)."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

_static = lazy(static, str)

# (title, [(icon of Material Symbols, model or URL name, its title; "" for the model's plural)]). What a user may not
# see, and what is not there, is left out.
NAVIGATION: list[tuple[Any, list[tuple[str, str, Any]]]] = [
    ("", [("dashboard", "admin:index", _("Overview")), ("forum", "desk:inbox", _("Inbox"))]),
    (
        _("Conversations"),
        [
            ("chat", "conversations.conversation", ""),
            ("mail", "conversations.message", ""),
            ("schedule_send", "conversations.scheduledmessage", ""),
            ("bolt", "conversations.cannedanswer", ""),
            ("filter_alt", "conversations.savedview", ""),
            ("alternate_email", "conversations.notice", ""),
        ],
    ),
    (
        _("Contacts"),
        [
            ("person", "crm.contact", ""),
            ("people", "crm.duplicatepair", ""),
            ("merge", "crm.mergerecord", ""),
            ("sell", "crm.tag", ""),
            ("conversion_path", "crm.lifecyclestage", ""),
            ("list_alt", "crm.customattribute", ""),
            ("group_work", "crm.segment", ""),
            ("upload_file", "crm.importjob", ""),
            ("download", "crm.exportjob", ""),
            ("checklist", "crm.bulkjob", ""),
            ("verified_user", "crm.consentevent", ""),
            ("do_not_disturb_on", "crm.optoutword", ""),
            ("person_off", "crm.suppression", ""),
        ],
    ),
    (
        _("Privacy"),
        [
            ("policy", "crm.privacyrequest", ""),
            ("gavel", "crm.legalhold", ""),
            ("visibility", "crm.accesslogentry", ""),
            ("auto_delete", "admin:crm_privacyrequest_retention", _("Retention")),
            ("domain", "crm.processor", ""),
            ("description", "admin:crm_processor_record", _("Record of processing")),
        ],
    ),
    (_("Catalogue"), [("inventory_2", "catalog.product", "")]),
    (
        "WhatsApp",
        [
            ("smartphone", "conversations.inbox", ""),
            ("key", "conversations.whatsappaccount", ""),
            ("webhook", "conversations.webhookevent", ""),
            ("pending_actions", "conversations.parkedupdate", ""),
            ("block", "conversations.sendfence", ""),
        ],
    ),
    (
        _("Staff"),
        [
            ("badge", "crm.user", ""),
            ("groups", "crm.team", ""),
            ("shield_person", "auth.group", _("Roles")),
            ("vpn_key", "crm.apitoken", ""),
            ("history", "crm.auditentry", ""),
        ],
    ),
]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Ventanilla",
    "SITE_HEADER": "Ventanilla",
    "SITE_SUBHEADER": _("Administration"),
    "SITE_URL": reverse_lazy("desk:inbox"),
    "SITE_ICON": _static("inbox/favicon.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _static("inbox/favicon.svg")}],
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "SHOW_LANGUAGES": True,
    "LANGUAGES": {"action": reverse_lazy("desk:preferences")},
    "THEME": "config.navigation.theme",
    "ENVIRONMENT": "config.navigation.environment",
    "ACCOUNT": {"navigation": "config.navigation.account"},
    "STYLES": [_static("admin/admin.css")],
    "BORDER_RADIUS": "6px",
    # The inbox's palette. In the dark theme admin.css takes lighter and darker steps of the same green.
    "COLORS": {
        "base": {
            "50": "#f6f7f6",
            "100": "#eceeed",
            "200": "#d9dedb",
            "300": "#b9c2bd",
            "400": "#a3b1aa",
            "500": "#64716a",
            "600": "#55615b",
            "700": "#3a4741",
            "800": "#26322d",
            "900": "#151d1a",
            "950": "#0e1412",
        },
        "primary": {
            "50": "#effaf5",
            "100": "#dff2ea",
            "200": "#b8e6d3",
            "300": "#8fdbbd",
            "400": "#5fd0a5",
            "500": "#1c8f6c",
            "600": "#0b6b4f",
            "700": "#095a43",
            "800": "#0b4837",
            "900": "#123528",
            "950": "#06251a",
        },
        "font": {
            "subtle-light": "#55615b",
            "subtle-dark": "#a3b1aa",
            "default-light": "#2f3b35",
            "default-dark": "#ccd6d1",
            "important-light": "#16201b",
            "important-dark": "#e8eeeb",
        },
    },
    "DASHBOARD_CALLBACK": "conversations.reports.views.dashboard",
    "COMMAND": {"search_callback": "config.navigation.search", "show_history": False},
    "SIDEBAR": {"show_search": True, "show_all_applications": False, "navigation": "config.navigation.sidebar"},
}
