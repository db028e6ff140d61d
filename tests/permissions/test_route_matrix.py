"""Every route of the URLconf by every role, and of the API by every scope: as `table.py` says (P01, I07, A05)."""

import contextlib
import json

import pytest
from django.conf import settings
from django.db import transaction
from django.urls import reverse
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.audit import log
from crm.contacts.models import Tag
from crm.foundation import aio
from crm.staff import tokens
from crm.staff.endpoint import Endpoint
from tests.factories import UserFactory
from tests.permissions.routes import MODEL_PAGES, routes
from tests.permissions.table import MANAGERS, NOBODY, PAGES, ROUTES, WHO
from tests.permissions.world import World

pytestmark = pytest.mark.django_db

TAKE_A_FILE = (("api:conversation-uploads", "POST"), ("api:contact-file-list", "POST"))
PAST_THE_DOOR = (200, 201, 202, 204, 304, 400, 409, 422)
READS = ("GET", "HEAD")
# What cannot be handed out with addresses masked is refused to tokens that do not see them.
IN_FULL_ONLY = ("api:contact-export-content",)


@pytest.fixture
def world():
    yield World()
    aio.close()


@contextlib.contextmanager
def undone():
    """What happens inside leaves no trace in the database."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def ask(client, world, route, method):
    """One request, with a body that tells nothing about who may; a file is read to its end."""
    response = _asked(client, world, route, method)
    if response.streaming:
        response.getvalue()
    return response


def _asked(client, world, route, method):
    address = route.address(**world.arguments(route))
    if route.name in ("desk:canned", "desk:mentions"):
        address += f"?c={world.conversation.pk}"
    if route.name == "admin:autocomplete":
        address += "?app_label=crm&model_name=apitoken&field_name=user"
    if route.name.startswith("api:"):
        takes_a_file = (route.name, method) in TAKE_A_FILE
        body = {"file": ""} if takes_a_file else json.dumps({})
        kind = {} if isinstance(body, dict) else {"content_type": "application/json"}
        return getattr(client, method.lower())(address, *([] if method == "GET" else [body]), **kind)
    data = world.form() if method == "POST" and route.name.startswith("desk:") else {}
    return getattr(client, method.lower())(address, data)


def came_back(response):
    """A cell of the table."""
    status = response.status_code
    if status in (301, 302):
        ways_in = (reverse(settings.LOGIN_URL), reverse("admin:login"))
        return "in" if response["Location"].startswith(ways_in) else "ok"
    return "ok" if status in PAST_THE_DOOR else str(status)


def row_of(route, method):
    """The expected cells, by who."""
    if route.page:
        model, page = route.page
        pages = PAGES[model].split()
        may = page in pages or (page == "change" and method == "GET" and "view" in pages)
        return dict(zip(WHO, (MANAGERS if may else NOBODY).split(), strict=True))
    cells = ROUTES[route.name][method].split()[-len(WHO) :]
    return dict(zip(WHO, cells, strict=True))


def methods_of(route):
    """Those of the table; models' pages are asked by both that browsers have."""
    return ("GET", "POST") if route.page else tuple(ROUTES[route.name])


def of_the_api():
    return [route for route in routes() if route.name in ROUTES and resource_of(route)]


def resource_of(route):
    """The resource that narrow scopes name; "" for what is no resource."""
    words = next(iter(ROUTES[route.name].values())).split()
    return words[0] if len(words) > len(WHO) else ""


def is_redirect(route):
    """Django's admin sends `…/1/` on to `…/1/change/`, behind the same door."""
    return route.name == "admin:" and route.arguments == ["object_id"]


@pytest.mark.covers("P01")
def test_p01_every_route_has_its_line_and_every_line_its_route():
    names = {route.name for route in routes() if not route.page}
    models = {route.page[0] for route in routes() if route.page}
    assert sorted(names - set(ROUTES)) == [], "these routes need a line in tests/permissions/table.py"
    assert sorted(models - set(PAGES)) == [], "these models of the administration need one, too"
    open_models = {model for model, pages in PAGES.items() if pages}
    assert sorted(set(ROUTES) - names) + sorted(open_models - models) == [], "lines without a route"
    assert all(set(pages.split()) <= {"view", *MODEL_PAGES.values()} for pages in PAGES.values())


@pytest.mark.covers("P01")
def test_p01_the_table_knows_every_method():
    wrong = {
        route.name: (sorted(route.methods), sorted(ROUTES[route.name]))
        for route in routes()
        if not route.page and route.methods is not None and resource_of(route)
        if route.methods != set(ROUTES[route.name])
    }
    assert wrong == {}


@pytest.mark.covers("P01", "P04", "I07", "A05")
@pytest.mark.parametrize("part", ["api", "desk", "admin", "rest"])
def test_p01_i07_a05_every_route_answers_every_role_as_the_table_says(world, part, record_property):
    wrong, cells = [], 0
    for route in routes():
        first = route.name.partition(":")[0]
        if (first if first in ("api", "desk", "admin") else "rest") != part or is_redirect(route):
            continue
        for method in methods_of(route):
            for who, expected in row_of(route, method).items():
                client = world.program(who) if part == "api" else world.browser(who)
                with undone():
                    found = came_back(ask(client, world, route, method))
                cells += 1
                if found != expected:
                    wrong.append(f"{method} {route.name} {route.page or ''} {who}: {found}, not {expected}")
    record_property("cells", cells)
    assert not wrong, "\n".join(wrong)


@pytest.mark.covers("P01", "P15")
def test_p01_every_address_of_the_api_opens_to_its_scopes_only(world):
    wrong = []
    for route in of_the_api():
        resource = resource_of(route)
        for method in ROUTES[route.name]:
            verb, other = ("read", "write") if method in READS else ("write", "read")
            opening = {verb, f"{resource}:{verb}"}
            for scope in sorted({*opening, other, f"{resource}:{other}", f"tags:{verb}", f"products:{verb}"}):
                if scope not in tokens.SCOPES:
                    continue
                who = [name for name, cell in row_of(route, method).items() if cell == "ok"][-1]
                also = ["addresses:read"] if route.name in IN_FULL_ONLY else []
                with undone():
                    status = ask(world.program(who, [scope, *also]), world, route, method).status_code
                if (status != 403) != (scope in opening):
                    wrong.append(f"{method} {route.name} with {scope}: {status}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.covers("P01")
def test_p01_a_browsers_session_opens_nothing_of_the_api(world):
    browser = world.browser("manager")
    found = {route.name: browser.get(route.address(**world.arguments(route))).status_code for route in of_the_api()}
    assert set(found.values()) == {401}


class Forgotten(APIView):
    """A view of somebody who knows nothing of our rules."""

    def get(self, request):
        return Response({"secret": "shown"})


class Halfway(Endpoint, APIView):
    """One that is ours, but says not what it is about."""

    queryset = Tag.objects.all()
    get = Forgotten.get


@pytest.mark.covers("P02")
@pytest.mark.parametrize("view", [Forgotten, Halfway])
def test_p02_an_address_that_does_not_say_what_it_is_about_is_closed(view, rf):
    """The default is deny: to nobody, and to a manager's token that may do everything."""
    text = tokens.issue(UserFactory(role="manager"), sorted(tokens.SCOPES))
    with log.acting(log.SYSTEM):  # the token says who acts: not beyond this test
        assert view.as_view()(rf.get("/")).status_code == 401
        refused = view.as_view()(rf.get("/", headers={"Authorization": f"Bearer {text}"}))
    assert (refused.status_code, "secret" in refused.data) == (403, False)
