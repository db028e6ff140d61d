"""The route × role matrix: for every route of the URLconf, who may.

A new route fails `test_route_matrix.py` until it has its line here:

- a page or an address of the inbox: `"desk:name": {"GET": THREAD}` in ROUTES, by its methods; the words are below;
- a model in the administration: `"app_model": "list add change delete history"` in PAGES, what managers may (`view`:
  its page can be read and not saved);
- an address of the API: `"api:thing-list": {"GET": …}` in ROUTES, with the resource that narrow scopes name before it;
- what Django never sees: its path in RAW.

The columns are those of WHO. A cell says what comes back: `ok` past the door (whatever the handler then says of the
input), `in` to the sign-in page, or the status. What takes an argument is asked about the things of `world.py`, which
integrators, the manager, the agent and the restricted agent may see; the stranger is an agent of another team.
"""

WHO = ("anonymous", "integrator", "restricted", "agent", "stranger", "manager")

PUBLIC = "ok ok ok ok ok ok"
STAFF = "in ok ok ok ok ok"
LACKING = "in 404 404 404 404 404"  # one's own second factor, which nobody here has
ABSENT = "404 404 404 404 404 404"
DESK = "in 403 ok ok ok ok"
THREAD = "in 403 ok ok 404 ok"
MANAGERS = "in 403 403 403 403 ok"
NOBODY = "in 403 403 403 403 403"

ALL = "401 ok ok ok ok ok"
SEEN = "401 ok ok ok 404 ok"
SHARED = "401 ok 403 403 403 ok"  # what the whole business shares is changed by managers and integrators

READ = {"GET": ALL}
LIST = {"GET": ALL, "POST": SHARED}
ONE = {"GET": ALL, "PATCH": SHARED, "DELETE": SHARED}


def of(resource: str, methods: dict[str, str]) -> dict[str, str]:
    """Rows of the API with the resource that narrow scopes name."""
    return {method: f"{resource} {row}" for method, row in methods.items()}


ROUTES: dict[str, dict[str, str]] = {
    ":": {"GET": PUBLIC},  # to the inbox
    ":set_language": {"POST": PUBLIC},
    # the API
    "api:schema": {"GET": PUBLIC},
    "api:docs": {"GET": PUBLIC},
    "api:": {"GET": "401 404 404 404 404 404"},  # what is not there
    "api:attachment": of("messages", {"GET": SEEN}),
    "api:attribute-list": of("attributes", LIST),
    "api:attribute-detail": of("attributes", ONE),
    "api:canned-answer-list": of("canned-answers", LIST),
    "api:canned-answer-detail": of(
        "canned-answers", {"GET": SEEN, "PATCH": "401 ok 403 403 403 ok", "DELETE": "401 ok 403 403 403 ok"}
    ),
    "api:contact-list": of("contacts", {"GET": ALL, "POST": ALL}),
    "api:contact-detail": of("contacts", {"GET": SEEN, "PATCH": SEEN}),
    "api:contact-bulk-tags": of("contacts", {"POST": ALL}),
    "api:contact-tags": of("contacts", {"GET": SEEN, "POST": SEEN}),
    "api:contact-by-external-id-detail": of("contacts", {"GET": SEEN, "PUT": SEEN}),
    "api:contact-consent-list": of("contacts", {"GET": SEEN, "POST": SEEN}),
    "api:contact-consent-detail": of("contacts", {"GET": SEEN}),
    "api:contact-consent-now": of("contacts", {"GET": SEEN}),
    "api:contact-event-list": of("contacts", {"GET": SEEN, "POST": "401 ok 403 403 403 ok"}),
    "api:contact-event-detail": of("contacts", {"GET": SEEN}),
    "api:contact-file-list": of("contacts", {"GET": SEEN, "POST": SEEN}),
    "api:contact-file-detail": of("contacts", {"GET": SEEN, "DELETE": SEEN}),
    "api:contact-file-content": of("contacts", {"GET": SEEN}),
    "api:contact-merge-list": of("contacts", {"GET": SHARED, "POST": SHARED}),
    "api:contact-merge-detail": of("contacts", {"GET": SHARED}),
    "api:contact-merge-undo": of("contacts", {"POST": SHARED}),
    "api:contact-split-list": of("contacts", {"POST": SHARED}),
    "api:contact-erasure-list": of("privacy", {"GET": SHARED, "POST": SHARED}),
    "api:contact-erasure-detail": of("privacy", {"GET": SHARED}),
    "api:contact-export-list": of("privacy", {"GET": SHARED, "POST": SHARED}),
    "api:contact-export-detail": of("privacy", {"GET": SHARED}),
    "api:contact-export-content": of("privacy", {"GET": SHARED}),
    "api:contact-point-list": of("contacts", {"GET": SEEN, "POST": SEEN}),
    "api:contact-point-detail": of("contacts", {"GET": SEEN, "PATCH": SEEN, "DELETE": SEEN}),
    "api:contact-note-list": of("contacts", {"GET": SEEN, "POST": SEEN}),
    "api:contact-note-detail": of(
        "contacts", {"GET": SEEN, "PATCH": "401 403 403 ok 404 403", "DELETE": "401 403 403 ok 404 ok"}
    ),
    "api:conversation-list": of("conversations", READ),
    "api:conversation-detail": of("conversations", {"GET": SEEN}),
    "api:conversation-assign": of("conversations", {"POST": SEEN}),
    "api:conversation-priority": of("conversations", {"POST": SEEN}),
    "api:conversation-reopen": of("conversations", {"POST": SEEN}),
    "api:conversation-resolve": of("conversations", {"POST": SEEN}),
    "api:conversation-snooze": of("conversations", {"POST": SEEN}),
    "api:conversation-tags": of("conversations", {"POST": SEEN}),
    "api:conversation-uploads": of("messages", {"POST": SEEN}),
    "api:conversation-message-list": of("messages", {"GET": SEEN, "POST": SEEN}),
    "api:conversation-note-list": of("messages", {"GET": SEEN, "POST": SEEN}),
    "api:inbox-list": of("inboxes", READ),
    "api:inbox-detail": of("inboxes", {"GET": "401 ok ok ok 404 ok"}),
    "api:message-detail": of("messages", {"GET": SEEN}),
    "api:message-cancel": of("messages", {"POST": SEEN}),
    "api:message-retry": of("messages", {"POST": SEEN}),
    "api:import-list": of("imports", {"GET": SHARED, "POST": SHARED}),
    "api:import-detail": of("imports", {"GET": SHARED, "PATCH": SHARED}),
    "api:import-cancel": of("imports", {"POST": SHARED}),
    "api:import-check": of("imports", {"POST": SHARED}),
    "api:import-commit": of("imports", {"POST": SHARED}),
    "api:import-fields": of("imports", {"GET": SHARED}),
    "api:import-report": of("imports", {"GET": SHARED}),
    "api:import-resume": of("imports", {"POST": SHARED}),
    "api:import-rows": of("imports", {"GET": SHARED}),
    "api:import-undo": of("imports", {"POST": SHARED}),
    "api:product-list": of("products", LIST),
    "api:product-detail": of("products", ONE),
    "api:stage-list": of("stages", LIST),
    "api:stage-detail": of("stages", ONE),
    "api:tag-merge": of("tags", {"POST": SHARED}),
    "api:segment-list": of("segments", LIST),
    "api:segment-detail": of("segments", ONE),
    "api:segment-fields": of("segments", {"GET": SHARED}),
    "api:segment-freeze": of("segments", {"POST": SHARED}),
    "api:segment-members": of("contacts", READ),
    "api:segment-preview": of("segments", {"POST": SHARED}),
    "api:tag-list": of("tags", LIST),
    "api:tag-detail": of("tags", ONE),
    "api:team-list": of("staff", READ),
    "api:team-detail": of("staff", READ),
    "api:user-list": of("staff", READ),
    "api:user-detail": of("staff", {"GET": "401 ok 404 ok ok ok"}),  # a restricted agent sees no colleagues
    "api:webhook-event-list": of("webhook-events", {"GET": SHARED}),
    "api:webhook-event-detail": of("webhook-events", {"GET": SHARED}),
    # the inbox
    "desk:inbox": {"GET": DESK},
    "desk:list": {"GET": DESK},
    "desk:rows": {"GET": DESK},
    "desk:counts": {"GET": DESK},
    "desk:filters": {"GET": DESK},
    "desk:saved-views": {"GET": DESK, "POST": DESK},
    "desk:bulk": {"GET": DESK, "POST": DESK},
    "desk:bulk-undo": {"POST": DESK},
    "desk:search": {"GET": DESK},
    "desk:sync": {"GET": DESK},
    "desk:preferences": {"POST": DESK},
    "desk:settings": {"GET": DESK, "POST": DESK},
    "desk:palette": {"GET": DESK},
    "desk:view-as": {"POST": MANAGERS},
    "desk:alert": {"GET": THREAD},
    "desk:manifest": {"GET": PUBLIC},
    "desk:service-worker": {"GET": PUBLIC},
    "desk:fence": {"POST": MANAGERS},
    "desk:upload": {"POST": THREAD},
    "desk:media": {"GET": THREAD},
    "desk:media-retry": {"POST": THREAD},
    "desk:conversation": {"GET": THREAD},
    "desk:messages": {"GET": THREAD, "POST": THREAD},
    "desk:media-list": {"GET": THREAD},
    "desk:thread-search": {"GET": THREAD},
    "desk:note": {"POST": THREAD},
    "desk:react": {"POST": THREAD},
    "desk:composer": {"GET": THREAD},
    "desk:draft": {"POST": THREAD},
    "desk:scheduled": {"GET": THREAD, "POST": THREAD},
    "desk:scheduled-change": {"POST": THREAD},
    "desk:mentions": {"GET": THREAD},
    "desk:canned": {"GET": THREAD},
    "desk:canned-answers": {"GET": DESK, "POST": MANAGERS},
    "desk:panel": {"GET": THREAD},
    "desk:panel-timeline": {"GET": THREAD},
    "desk:panel-files": {"GET": THREAD},
    "desk:contact": {"POST": THREAD},
    "desk:contact-tags": {"POST": THREAD},
    "desk:contact-consents": {"POST": THREAD},
    "desk:contact-points": {"POST": THREAD},
    "desk:contact-files": {"POST": THREAD},
    "desk:contact-file": {"GET": THREAD},
    "desk:contact-notes": {"GET": THREAD, "POST": THREAD},
    "desk:header": {"GET": THREAD},
    "desk:assign": {"POST": THREAD},
    "desk:status": {"POST": THREAD},
    "desk:snooze": {"POST": THREAD},
    "desk:priority": {"POST": THREAD},
    "desk:tags": {"GET": THREAD, "POST": THREAD},
    "desk:pin": {"POST": THREAD},
    "desk:read": {"POST": THREAD},
    "desk:unread": {"POST": THREAD},
    "desk:typing": {"POST": THREAD},
    "desk:info": {"GET": THREAD},
    "desk:retry": {"POST": THREAD},
    "desk:cancel": {"POST": THREAD},
    "desk:undo": {"POST": THREAD},
    # signing in and one's account
    ":account_login": {"GET": PUBLIC, "POST": PUBLIC},
    ":account_logout": {"POST": "in in in in in in"},  # that is where one comes out
    ":account_forgotten": {"GET": PUBLIC, "POST": PUBLIC},
    ":account_reset_password": {"GET": PUBLIC, "POST": PUBLIC},
    ":account_invitation": {"GET": PUBLIC, "POST": PUBLIC},
    ":mfa_authenticate": {"GET": STAFF, "POST": STAFF},  # after the password; who is in already is sent on
    ":mfa_login_webauthn": {"GET": STAFF, "POST": STAFF},
    ":openid_connect_login": {"POST": ABSENT},  # none is set up
    ":openid_connect_callback": {"GET": ABSENT},
    ":account": {"GET": STAFF},
    ":account_password": {"GET": STAFF, "POST": STAFF},
    ":account_reauthenticate": {"GET": STAFF, "POST": STAFF},
    ":account_end_session": {"POST": STAFF},
    ":account_end_other_sessions": {"POST": STAFF},
    ":mfa_index": {"GET": STAFF},
    ":mfa_reauthenticate": {"GET": STAFF, "POST": STAFF},
    ":mfa_reauthenticate_webauthn": {"GET": STAFF, "POST": STAFF},
    ":mfa_activate_totp": {"GET": STAFF, "POST": STAFF},
    ":mfa_deactivate_totp": {"GET": LACKING, "POST": LACKING},
    ":mfa_add_webauthn": {"GET": STAFF, "POST": STAFF},
    ":mfa_remove_webauthn": {"GET": LACKING, "POST": LACKING},
    ":mfa_view_recovery_codes": {"GET": LACKING},
    ":mfa_generate_recovery_codes": {"GET": STAFF, "POST": STAFF},
    ":mfa_download_recovery_codes": {"GET": LACKING},
    # the administration beside its models
    "admin:conversations_inbox_setup": {"GET": MANAGERS, "POST": MANAGERS},
    "admin:conversations_sendfence_lift": {"POST": MANAGERS},
    "admin:conversations_sendfence_raise": {"POST": MANAGERS},
    "admin:crm_bulkjob_act": {"POST": MANAGERS},
    "admin:crm_bulkjob_progress": {"GET": MANAGERS},
    "admin:crm_exportjob_act": {"POST": MANAGERS},
    "admin:crm_exportjob_file": {"GET": MANAGERS},
    "admin:crm_exportjob_progress": {"GET": MANAGERS},
    "admin:crm_importjob_act": {"POST": MANAGERS},
    "admin:crm_importjob_mapping": {"GET": MANAGERS, "POST": MANAGERS},
    "admin:crm_importjob_progress": {"GET": MANAGERS},
    "admin:crm_importjob_report": {"GET": MANAGERS},
    "admin:crm_importjob_rows": {"GET": MANAGERS},
    "admin:crm_importjob_upload": {"GET": MANAGERS, "POST": MANAGERS},
    "admin:crm_duplicatepair_compare": {"GET": MANAGERS, "POST": MANAGERS},
    "admin:crm_mergerecord_split": {"GET": MANAGERS, "POST": MANAGERS},
    "admin:crm_accesslogentry_table": {"GET": MANAGERS},
    "admin:crm_privacyrequest_act": {"POST": MANAGERS},
    "admin:crm_privacyrequest_copy": {"GET": MANAGERS},
    "admin:crm_privacyrequest_retention": {"GET": MANAGERS},
    "admin:crm_processor_record": {"GET": MANAGERS},
    "admin:crm_segment_count": {"POST": MANAGERS},
    "admin:crm_segment_freeze": {"POST": MANAGERS},
    "admin:crm_segment_row": {"GET": MANAGERS},
    "admin:crm_user_invite": {"GET": MANAGERS, "POST": MANAGERS},
    "admin:crm_user_remove_factors": {"GET": MANAGERS, "POST": MANAGERS},
    "admin:crm_user_unlink": {"GET": MANAGERS, "POST": MANAGERS},
    "admin:index": {"GET": MANAGERS},
    "admin:search": {"GET": MANAGERS},
    "admin:app_list": {"GET": MANAGERS},
    "admin:autocomplete": {"GET": MANAGERS},
    "admin:jsi18n": {"GET": MANAGERS},
    "admin:view_on_site": {"GET": "in 403 403 403 403 404"},
    "admin:login": {"GET": "in 403 403 403 403 in", "POST": "in 403 403 403 403 in"},
    "admin:logout": {"POST": "ok ok ok ok ok in"},
    "admin:password_change": {"GET": MANAGERS},
    "admin:password_change_done": {"GET": MANAGERS},
    "admin:": {"GET": "in 403 403 403 403 404"},  # what is not there
}

# What Django never sees (`raw_routes` and `sockets` of config/asgi.py): a session opens nothing of it but the socket.
# `GET from afar`: by an address that is not this machine's. A socket's cell is `ok`, or the code it is closed with.
RAW: dict[str, dict[str, str]] = {
    "/webhooks/whatsapp/": {
        "GET": "403 403 403 403 403 403",  # without the verify token
        "POST": "401 401 401 401 401 401",  # without Meta's signature
        "PUT": "405 405 405 405 405 405",
    },
    "/healthz/": {"GET": PUBLIC, "GET from afar": PUBLIC},
    "/readyz/": {"GET": PUBLIC, "GET from afar": PUBLIC},  # names and numbers only
    "/metrics": {"GET": PUBLIC, "GET from afar": "403 403 403 403 403 403"},
    "ws/inbox/": {"socket": "4401 4403 ok ok ok ok"},
}

# What a manager may do with each model in the administration; nobody else may do anything.
PAGES: dict[str, str] = {
    "auth_group": "list view history",
    "catalog_product": "list add change delete history",
    "conversations_cannedanswer": "list add change delete history",
    "conversations_conversation": "list view history",
    "conversations_inbox": "list add change delete history",
    "conversations_message": "list view history",
    "conversations_notice": "list change history",
    "conversations_parkedupdate": "list change history",
    "conversations_savedview": "list change delete history",
    "conversations_scheduledmessage": "list view history",
    "conversations_sendfence": "list change history",
    "conversations_webhookevent": "list view history",
    "conversations_whatsappaccount": "list add change delete history",
    "crm_apitoken": "list add view history",
    "crm_auditentry": "list view history",
    "crm_bulkjob": "list add view history",
    "crm_consentevent": "list view history",
    "crm_exportjob": "list add view history",
    "crm_importjob": "list add view history",
    "crm_contact": "list add change history",
    "crm_customattribute": "list add change delete history",
    "crm_optoutword": "list add change delete history",
    "crm_suppression": "list view history",
    "crm_duplicatepair": "list view history",
    "crm_mergerecord": "list view history",
    "crm_accesslogentry": "list view history",
    "crm_legalhold": "list add view history",
    "crm_privacyrequest": "list add view history",
    "crm_processor": "list add change delete history",
    "crm_lifecyclestage": "list add change delete history",
    "crm_segment": "list add change delete history",
    "crm_tag": "list add change delete history",
    "crm_team": "list add change delete history",
    "crm_user": "list add change history",
    # what a library shows of its own on PostgreSQL
    "procrastinate_procrastinateevent": "",
    "procrastinate_procrastinatejob": "history",
    "procrastinate_procrastinateperiodicdefer": "",
    "procrastinate_procrastinateworker": "",
}
