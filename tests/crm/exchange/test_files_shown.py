"""Files that come and go: what is seen of them by whom, and how they are sent."""

import io

import pytest
from asgiref.sync import async_to_sync

from crm.exchange.report import covered
from crm.foundation import streaming, work
from tests.api import Integrator
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]
READ, WRITE = "imports:read", "imports:write"


def test_a_file_without_headers_shows_no_number_or_address_to_who_may_not_see_them():
    user = UserFactory(integrator=True, language="en")
    narrow, whole = Integrator(user, READ, WRITE), Integrator(user)
    job = narrow.upload("imports/", file=io.BytesIO(b"ana@x.es,+34600111222,Ana\nEva,+34 600 111 333,Eva\n")).json()
    assert job["headers"] == ["a•••@x•••.es", "+34 ••• ••• 222", "Ana"]
    address = f"imports/{job['id']}/"
    mapping = {"0": "name", "1": "stage", "2": "company"}
    assert "600" not in str(narrow.patch(address, {"mapping": mapping}).json()["headers"])
    assert narrow.post(f"{address}check/").status_code == 202
    work.run_until_idle("imports")
    for told in (str(narrow.get(f"{address}rows/").json()), narrow.get(f"{address}report/").getvalue().decode()):
        assert "There is no stage “+34 ••• ••• 333”" in told
        assert "600" not in told
    assert "+34 600 111 333" in whole.get(f"{address}rows/").json()["results"][0]["reason"]
    assert whole.get(address).json()["headers"][0] == "ana@x.es"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("There is no stage “call +34 600 111 222 now”.", "There is no stage “call +34 ••• ••• 222 now”."),
        ("Stage: “Ana <ana@x.es>”", "Stage: “Ana <a•••@x•••.es>”"),
        ("write it as 2026-05-31.", "write it as 2026-05-31."),
        ("The same person as row 200001.", "The same person as row 200001."),
    ],
)
def test_a_reason_is_covered_where_it_quotes(text, shown):
    user = UserFactory(integrator=True)
    user.token_hides_addresses = True
    assert covered(text, user) == shown
    assert covered(text) == text


@pytest.mark.parametrize("key", ["²", "9" * 5000, "-1", "x"])
def test_a_column_that_is_none_is_no_failure(key):
    api = Integrator(UserFactory(integrator=True, language="en"))
    job = api.upload("imports/", file=io.BytesIO(b"name;phone\nAna;+34600111222\n")).json()
    for delimiter in (";", ","):
        answer = api.patch(f"imports/{job['id']}/", {"mapping": {key: "name"}, "options": {"delimiter": delimiter}})
        assert answer.status_code in (200, 422), answer.content


def test_what_is_sent_is_read_when_its_turn_comes():
    read = []

    def pieces():
        for number in range(3):
            read.append(number)
            yield b"%d" % number

    async def first(response):
        async for piece in response:
            return piece, list(read)

    assert async_to_sync(first)(streaming.Streamed(pieces())) == (b"0", [0])
    assert streaming.Streamed(pieces()).getvalue() == b"012"
