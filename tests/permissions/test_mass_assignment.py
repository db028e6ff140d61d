"""Requests that carry more than they should: nothing changes but what the same request without it changes (P08)."""

import datetime as dt
import json
import uuid

import pytest
from django.apps import apps
from django.db import models, transaction

from crm.staff.models import ApiToken, StoredAnswer
from tests.permissions.routes import routes
from tests.permissions.table import ROUTES
from tests.permissions.test_route_matrix import resource_of, undone
from tests.permissions.world import World

pytestmark = pytest.mark.django_db

APPS = ("crm", "catalog", "conversations")
NOTHING = {"email": None, "country": "", "time_zone": "", "stage": None, "owner": None, "external_id": None}
RULE = {"all": [{"field": "company", "op": "set"}]}
# A request that is accepted, by route and method; what is writable there gets no other value.
BODIES = {
    "POST api:attribute-list": {"key": "size", "label": "Size", "type": "text", "choices": [], "position": 1},
    "PATCH api:attribute-detail": {"label": "Size", "position": 1, "choices": [], "key": "plan", "type": "text"},
    "POST api:canned-answer-list": {"shortcut": "bye", "title": "Bye", "body": "Bye", "team": None},
    "PATCH api:canned-answer-detail": {"shortcut": "hi", "title": "Hi", "body": "Hi", "team": None},
    "POST api:contact-list": {
        "name": "Ana", "phone": "+34600123456", "kind": "person", "tags": [], "company": "", "language": "es",
        "attributes": {}, **NOTHING,
    },
    "POST api:contact-bulk-tags": {"contacts": [], "add": [], "remove": [], "reason": ""},
    "POST api:contact-tags": {"add": [], "remove": [], "reason": ""},
    "POST api:contact-consent-list": {
        "purpose": "marketing", "state": "granted", "source": "form", "wording": "Yes", "wording_version": "1",
        "language": "es", "evidence": {"url": "here"}, "at": "2026-05-04T10:00:00Z",
    },
    "POST api:contact-event-list": {
        "kind": "call", "title": "Call", "text": "", "url": "", "at": "2026-05-04T10:00:00Z", "external_id": "c1",
    },
    "POST api:contact-erasure-list": {"verified_by": "passport", "reason": ""},
    "POST api:contact-export-list": {"verified_by": "passport", "reason": ""},
    "POST api:contact-merge-list": {"contact": 0, "values": {}},
    "POST api:contact-merge-undo": {},
    "POST api:contact-split-list": {"identity": 0},
    "POST api:contact-point-list": {"kind": "email", "value": "a@b.test", "label": "", "is_primary": False},
    "PATCH api:contact-point-detail": {"label": "Home", "is_primary": True, "kind": "email", "value": "x@y.test"},
    "POST api:stage-list": {"name": "Lead", "colour": 1, "position": 1},
    "PATCH api:stage-detail": {"name": "Lead", "colour": 1, "position": 1},
    "POST api:tag-merge": {"into": 0},
    "PATCH api:import-detail": {"mapping": {"0": "name"}, "options": {"existing": "skip"}},
    "POST api:import-cancel": {},
    "POST api:import-check": {},
    "POST api:import-commit": {},
    "POST api:import-resume": {},
    "POST api:import-undo": {},
    "POST api:segment-list": {"name": "Few", "description": "", "rule": RULE, "version": 1},
    "PATCH api:segment-detail": {"name": "Few", "description": "", "rule": RULE, "version": 1},
    "POST api:segment-freeze": {"name": "Few"},
    "POST api:segment-preview": {"rule": RULE},
    "PATCH api:contact-detail": {
        "name": "Ana", "phone": "+34600123456", "kind": "person", "tags": [], "company": "", "language": "es",
        "attributes": {}, "version": 1, **NOTHING,
    },
    "POST api:contact-note-list": {"text": "Note"},
    "PATCH api:contact-note-detail": {"text": "Note"},
    "POST api:conversation-assign": {"assignee": None, "team": None, "version": 1},
    "POST api:conversation-priority": {"priority": "high", "version": 1},
    "POST api:conversation-reopen": {"version": 1},
    "POST api:conversation-resolve": {"version": 1},
    "POST api:conversation-snooze": {"until": None, "version": 1},
    "POST api:conversation-tags": {"add": ["vip"], "remove": [], "version": 1},
    "POST api:conversation-message-list": {"text": "Hello", "kind": "text", "reply_to": None, "client_id": None},
    "POST api:conversation-note-list": {"text": "Note", "client_id": None},
    "POST api:message-cancel": {},
    "POST api:message-retry": {},
    "POST api:product-list": {"retailer_id": "P2", "name": "Car", "price": "2.000", "currency": "EUR"},
    "PATCH api:product-detail": {"retailer_id": "P1", "name": "Car", "price": "2.000", "currency": "EUR"},
    "POST api:tag-list": {"name": "vip", "colour": 1, "group": ""},
    "PATCH api:tag-detail": {"name": "vip", "colour": 1, "group": ""},
}  # fmt: skip
# Refused as things stand: the message has failed, the import was not checked, there is no such tag, contact, account.
REFUSED = {
    "POST api:message-cancel", "POST api:import-commit", "POST api:import-resume", "POST api:import-undo",
    "POST api:tag-merge", "POST api:contact-merge-list", "POST api:contact-split-list",
}  # fmt: skip
NO_JSON = {"POST api:conversation-uploads", "POST api:contact-file-list", "POST api:import-list"}
FULL_OF_KEYS = {("LiveHint", "payload"), *(("AuditEntry", name) for name in ("changes", "object_id", "search_text"))}
LONG_AGO = "2001-02-03T04:05:06Z"
MARK, NUMBER = "intruder", 987_654


def writable():
    """Every route of the API that writes, with its method."""
    return [
        (route, method)
        for route in routes()
        if route.name in ROUTES and resource_of(route)
        for method in ROUTES[route.name]
        if method in ("POST", "PATCH")
    ]


def tables():
    return [model for app in APPS for model in apps.get_app_config(app).get_models() if model is not StoredAnswer]


def everything():
    """Every row of every table, by its key; how a token is used does not count."""
    rows = {model: {row["pk"]: row for row in model._base_manager.values("pk", *columns(model))} for model in tables()}
    for row in rows[ApiToken].values():
        row["last_used_at"] = None
    return rows


def columns(model):
    return [field.attname for field in model._meta.concrete_fields if not isinstance(field, models.BinaryField)]


def extras(known):
    """A hostile value for every column of every table that a request does not speak of."""
    found = {}
    for model in tables():
        for field in model._meta.concrete_fields:
            value = MARK
            if isinstance(field, models.BooleanField):
                value = not (field.default if isinstance(field.default, bool) else False)
            elif isinstance(field, models.DateTimeField):
                value = LONG_AGO
            elif isinstance(field, models.JSONField):
                value = {MARK: NUMBER}
            elif isinstance(field, models.ForeignKey):  # one that is there: another is refused for not being there
                value = field.related_model._base_manager.order_by("-pk").values_list("pk", flat=True).first()
            elif isinstance(field, models.IntegerField | models.AutoField | models.DecimalField):
                value = NUMBER
            found |= {field.name: value, field.attname: value}
    found |= {"is_staff": True, "owner": NUMBER, "account": NUMBER, "score": NUMBER, "paid": True, "consent": True}
    found |= {"identities": [{"wa_id": MARK}], "author": NUMBER, "wamid": MARK}
    return {name: value for name, value in found.items() if name not in known}


def changed(before, after):
    """Which cells of which rows differ, and what the new rows hold."""
    cells, new = set(), []
    for model, rows in after.items():
        for pk, row in rows.items():
            old = before[model].get(pk)
            if old is None:
                new.append((model, row))
            else:
                cells |= {(model.__name__, pk, name) for name in row if row[name] != old[name]}
        cells |= {(model.__name__, pk, "gone") for pk in before[model].keys() - rows.keys()}
    return cells, new


def is_hostile(value):
    if isinstance(value, dt.datetime):
        return value.year == 2001
    return value == NUMBER or MARK in str(value)


def told_apart(new):
    """What new rows say beside their keys, times and random ids."""
    keys = {(model, row["pk"]) for model, row in new}
    found = []
    for model, row in new:
        for field in model._meta.concrete_fields:
            value = row.get(field.attname)
            if field.primary_key or isinstance(value, dt.datetime | uuid.UUID):
                continue
            is_new = field.related_model and (field.related_model, value) in keys
            found.append((model.__name__, field.name, "new" if is_new else repr(value)))
    return [one for one in found if one[:2] not in FULL_OF_KEYS]


def hostile_effect(world, route, method, body):
    """The effect of the body with all that it should not say; what is refused by name is left out."""
    hostile = body | extras(BODIES[f"{method} {route.name}"])
    while True:
        status, cells, new, refused = effect(world, route, method, hostile)
        if status != 400 or not refused & (hostile.keys() - body.keys()):
            return status, cells, new
        hostile = {name: value for name, value in hostile.items() if name in body or name not in refused}


def effect(world, route, method, body):
    """What one request does to the database, which then is as before."""
    before = everything()
    with undone():
        client = world.program("agent" if "note" in route.name else "manager")
        address = route.address(**world.arguments(route))
        response = client.generic(method, address, json.dumps(body), "application/json")
        with transaction.atomic():
            cells, new = changed(before, everything())
    refused = set(response.json().get("fields", ())) if response.status_code == 400 else set()
    return response.status_code, cells, new, refused


@pytest.mark.covers("P08")
def test_p08_the_table_of_bodies_knows_every_route_that_writes():
    assert {f"{method} {route.name}" for route, method in writable()} - NO_JSON == set(BODIES)


@pytest.mark.covers("P08")
def test_p08_what_a_request_may_not_say_changes_nothing(record_property):
    world, unexpected, refused = World(), [], set()
    for route, method in writable():
        name = f"{method} {route.name}"
        if name in NO_JSON:
            continue
        body = {key: value for key, value in BODIES[name].items() if (key, value) != ("client_id", None)}
        status, cells, new, _refused = effect(world, route, method, body)
        hostile_status, hostile_cells, hostile_new = hostile_effect(world, route, method, body)
        refused |= {name} if status >= 300 else set()
        unexpected += [(name, cell) for cell in hostile_cells ^ cells]
        unexpected += [(name, model.__name__, row) for model, row in hostile_new if any(map(is_hostile, row.values()))]
        unexpected += [(name, *one) for one in set(told_apart(new)) ^ set(told_apart(hostile_new))]
        unexpected += [(name, status, hostile_status)] * (status != hostile_status)
    record_property("routes", len(BODIES))
    assert unexpected == []
    assert refused == REFUSED
