"""Addresses and control characters inside webhooks: nothing is fetched because of them, no line of a log breaks."""

import json
import logging
import subprocess
import sys

import pytest
import structlog

from conversations.ingest import pipeline
from conversations.messaging import media
from conversations.messaging.models import Attachment, Message
from crm.foundation import aio
from tests.graph_side import GraphSide, raw, says
from tests.webhooks import ANA, arrive, make_inbox, messages, person, store, text

pytestmark = pytest.mark.django_db

JPEG = b"\xff\xd8\xff\xe0" + b"j" * 200
HOSTILE = 'Ana\r\n{"event": "forged"}\n\x1b[2J\x1b]0;x\x07%s%n{0}${jndi:ldap://x}\x85\u2028\u2029\x9b31m'


@pytest.fixture(scope="module", autouse=True)
def _session_closed():
    yield
    aio.close()


@pytest.fixture
def graph():
    side = GraphSide().start()
    yield side
    side.stop()


@pytest.fixture
def trap():
    """A server inside the house that nobody has any business with."""
    side = GraphSide().start()
    yield side
    side.stop()


@pytest.fixture
def number(graph):
    inbox = make_inbox()
    inbox.account.graph_base_url = graph.url
    inbox.account.save()
    return inbox


def picture(external_id, media_id, **more):
    part = {"id": media_id, "mime_type": "image/jpeg", "caption": "mira"} | more
    return text(external_id) | {"type": "image", "image": part}


@pytest.mark.covers("W20", "I03")
def test_addresses_inside_a_webhook_are_never_fetched_and_media_only_by_its_id(number, graph, trap):
    graph.answers_at("/v24.0/777000", says({"url": f"{graph.url}/file", "mime_type": "image/jpeg", "id": "777000"}))
    graph.answers_at("/file", raw(JPEG, content_type="image/jpeg"))
    targets = [f"{trap.url}/x", "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", f"//{trap.url[7:]}/y"]
    items = [
        picture(f"w.{at}", "777000", url=target, link=target, href=target, thumbnail_url=target, file_path=target)
        for at, target in enumerate(targets)
    ]
    for at, target in enumerate(targets):
        part = {"source_url": target, "image_url": target, "video_url": target, "thumbnail_url": target}
        items.append(text(f"t.{at}", f"mira {target}", referral=part, preview_url=True))
        items.append(text(f"l.{at}") | {"type": "location", "location": {"url": target, "latitude": 1, "longitude": 2}})
        items.append(text(f"c.{at}") | {"type": "contacts", "contacts": [{"urls": [{"url": target}], "photo": target}]})
    arrive(number, messages(*items, contacts=[person() | {"profile": {"name": "Ana", "picture": targets[0]}}]))
    assert Message.objects.count() == len(items)
    media.drain()
    assert set(Attachment.objects.values_list("state", flat=True)) == {"stored"}
    assert sorted(asked.path for asked in graph.asked) == ["/file"] * 4 + ["/v24.0/777000"] * 4
    assert trap.asked == []


def test_files_of_unknown_size_are_fetched_one_by_one_on_a_later_loop_too(number, graph):
    graph.answers_at("/v24.0/777000", says({"url": f"{graph.url}/file", "mime_type": "image/jpeg", "id": "777000"}))
    graph.answers_at("/file", raw(JPEG, content_type="image/jpeg"))
    for loop in ("first", "second"):
        arrive(number, messages(*(picture(f"{loop}.{at}", "777000") for at in range(4))))
        media.drain()
        aio.close()
    assert list(Attachment.objects.values_list("state", flat=True)) == ["stored"] * 8


@pytest.mark.covers("W20")
@pytest.mark.parametrize(
    "shape", ["{trap}/x", "//{host}/x", "../../x", "777/../../me?fields=name#", "1?access_token=x"]
)
def test_an_id_that_is_an_address_stays_an_id(number, graph, trap, shape):
    media_id = shape.format(trap=trap.url, host=trap.url[7:])
    arrive(number, messages(picture("w", media_id)))
    media.drain()
    (asked,) = graph.asked
    assert asked.path == f"/v24.0/{media_id}", "one segment behind the version"
    assert asked.query == {"phone_number_id": number.phone_number_id}
    assert trap.asked == []
    assert Attachment.objects.get().state == "pending"


@pytest.mark.covers("W21")
def test_hostile_names_and_words_reach_the_database_and_no_line_of_the_log(number, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    document = {"type": "document", "document": {"id": "7", "filename": HOSTILE, "mime_type": HOSTILE}}
    odd = {"id": HOSTILE, "from": ANA, "type": HOSTILE, "timestamp": HOSTILE}
    with structlog.testing.capture_logs() as lines:
        arrive(
            number,
            messages(text("w.1", HOSTILE), text("w.2") | document, odd, contacts=[person(ANA, HOSTILE)]),
            messages({"id": "w.3", "from": HOSTILE * 9, "type": "text"}, text("w.4", type=HOSTILE)),
        )
        store(number, f'{{"entry": "{HOSTILE}'.encode())
        pipeline.drain()
    assert Message.objects.get(external_id="w.1").text == HOSTILE
    assert [line for line in lines if "quarantined" in line["event"]]
    told = repr(lines) + caplog.text + "".join(capfd.readouterr())
    for part in ("forged", "jndi", "\x1b", "\x9b", "\u2028", "[2J"):
        assert part not in told


LOGGER = """
import logging, sys, structlog
from crm.foundation.logs import configure_logging
configure_logging(level="INFO", as_json=True)
hostile = sys.argv[1]
structlog.get_logger("ours").warning("one", value=hostile, **{"key\\n": hostile})
logging.getLogger("theirs").warning("two %s", hostile)
try:
    raise ValueError(hostile)
except ValueError:
    structlog.get_logger("ours").exception("three")
"""


@pytest.mark.covers("W21")
def test_whatever_is_logged_is_one_line_of_json_without_control_characters():
    done = subprocess.run([sys.executable, "-c", LOGGER, HOSTILE], capture_output=True, check=True, timeout=120)
    lines = done.stderr.decode().split("\n")
    assert lines.pop() == ""
    assert [json.loads(line)["event"].partition(" ")[0] for line in lines] == ["one", "two", "three"]
    assert json.loads(lines[0])["value"] == HOSTILE
    assert all(char >= " " and char != "\x7f" for line in lines for char in line)
    assert b"\x1b" not in done.stderr
    assert b'\n{"event": "forged"' not in done.stderr
