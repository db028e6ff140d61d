"""What people write is text everywhere: no payload ever becomes a tag, an attribute or a link that runs."""

import html as entities
import re
from html.parser import HTMLParser

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from conversations.desk.formatting import formatted
from conversations.messaging.models import Attachment, Conversation, ConversationEvent, Message, Reaction
from crm.contacts.models import Contact
from crm.foundation import clock
from tests.factories import MessageFactory
from tests.security.corpus import PAYLOADS

PLAIN = "Plain words"
OURS = {
    "a": {("href", "rel", "target")}, "strong": {()}, "em": {()}, "s": {()}, "code": {()},
}  # fmt: skip


class Shape(HTMLParser):
    """The tags of a page with the names of their attributes, and every address in it."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.addresses = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        names = tuple(sorted(name for name, _value in attrs))
        if names not in OURS.get(tag, ()):
            self.tags.append((tag, names))
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action")]


def everything_says(conversation, text):
    """Every kind of message, with `text` in every field that comes from outside."""
    Contact.objects.filter(pk=conversation.contact_id).update(name=text[:200])
    Conversation.objects.filter(pk=conversation.pk).update(
        last_preview=text[:200], last_kind="text", last_direction="out", last_author_name=text[:150]
    )
    card = {
        "name": {"formatted_name": text}, "phones": [{"phone": text}], "emails": [{"email": text}],
        "org": {"company": text}, "urls": [{"url": text}],
    }  # fmt: skip
    payloads = {
        "text": {"referral": {"headline": text, "body": text, "source_url": text}}, "image": {}, "document": {},
        "button_reply": {"title": text, "payload": text}, "list_reply": {"title": text, "description": text},
        "location": {"latitude": 1.5, "longitude": 2.5, "name": text, "address": text},
        "contacts": {"contacts": [card]},
        "order": {"product_items": [
            {"product_retailer_id": text, "quantity": 2, "item_price": 3.5, "currency": text},
        ]},
        "flow_reply": {"body": text}, "future_kind": {"x": text}, "unsupported": {"title": text},
        "system": {"body": text},
    }  # fmt: skip
    Message.objects.filter(conversation=conversation).delete()
    ConversationEvent.objects.filter(conversation=conversation).delete()
    ConversationEvent.objects.create(conversation=conversation, kind="assigned", data={"assignee": text, "team": text})
    first = MessageFactory(conversation=conversation, text=text)
    for kind, payload in payloads.items():
        message = MessageFactory(
            conversation=conversation, kind=kind, text=text, payload=payload, reply_to=first, edited_at=clock.now(),
            original_text=text,
        )  # fmt: skip
        Reaction.objects.create(message=message, actor="us", emoji=text[:32], reacted_at=clock.now())
        Attachment.objects.create(
            message=message, conversation=conversation, kind="document" if kind == "text" else "image", state="stored",
            filename=text[:255], mime_type=text[:100],
        )  # fmt: skip
    for state in ("pending", "failed", "expired"):
        Attachment.objects.create(
            message=first, conversation=conversation, kind="document", state=state, filename=text[:255]
        )


@pytest.mark.covers("I01")
@pytest.mark.django_db
@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_no_payload_changes_the_shape_of_a_page(desk, conversation, payload):
    url = reverse("desk:conversation", args=[conversation.pk]) + "?view=all"
    everything_says(conversation, PLAIN)
    plain = Shape(desk.get(url).content.decode())
    everything_says(conversation, payload)
    page = desk.get(url).content.decode()
    hostile = Shape(page)
    extra = [tag for tag in hostile.tags if tag not in plain.tags]
    assert extra == []
    without_ad_link = [tag for tag in plain.tags if tag != ("a", ("href", "rel", "target"))]
    assert [tag for tag in hostile.tags if tag != ("a", ("href", "rel", "target"))] == without_ad_link
    for address in hostile.addresses:
        assert re.match(r"(/|https?://|#)", address), address
    for raw in ("<script>alert", "<img src=x", "onerror=alert(1)>", "<svg onload", "<iframe", "<base"):
        assert raw not in page


@pytest.mark.covers("I01")
@pytest.mark.django_db
@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_a_search_for_a_payload_is_shown_as_text(desk, payload):
    plain = Shape(desk.get(reverse("desk:inbox"), {"q": PLAIN}).content.decode())
    hostile = Shape(desk.get(reverse("desk:inbox"), {"q": payload}).content.decode())
    assert hostile.tags == plain.tags
    assert all(re.match(r"(/|https?://|#)", address) for address in hostile.addresses)


@pytest.mark.covers("I02")
@pytest.mark.django_db
@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "JAVASCRIPT:x", "data:text/html,x", "//evil.test", "ftp://x", 7]
)
def test_an_ads_address_is_a_link_only_if_it_is_one(desk, conversation, url):
    message = MessageFactory(conversation=conversation, payload={"referral": {"headline": "Ad", "source_url": url}})
    page = desk.get(reverse("desk:messages", args=[conversation.pk])).content.decode()
    assert str(message.client_id) in page
    assert 'rel="noopener noreferrer"' not in page
    Message.objects.update(payload={"referral": {"headline": "Ad", "source_url": "https://fb.test/ad?a=1&b=2"}})
    page = desk.get(reverse("desk:messages", args=[conversation.pk])).content.decode()
    assert 'href="https://fb.test/ad?a=1&amp;b=2"' in page
    assert 'rel="noopener noreferrer"' in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    "payload",
    [
        {"referral": []}, {"referral": "x"}, {"referral": {"headline": {"a": 1}, "source_url": ["x"]}},
        {"contacts": "x"}, {"contacts": [1, None, {"name": "x", "phones": "y", "emails": [3], "org": []}]},
        {"latitude": "x"}, {"latitude": [1], "longitude": {}}, {"latitude": 1e400, "longitude": 1},
        {"latitude": "1" * 400, "longitude": "nan"}, {"latitude": True, "longitude": 1},
        {"product_items": "x"}, {"product_items": [1, {"quantity": "x", "item_price": {}, "currency": 3}]},
        {"product_items": [{"quantity": "inf", "item_price": "nan", "product_retailer_id": {"a": 1}}]},
        {"product": "x"}, {"product": {"product_retailer_id": []}}, {"events": "x"}, {"events": {"terminate": 1}},
        {"events": {"terminate": {"duration": "x"}}}, {"description": {"a": 1}},
    ],
)  # fmt: skip
def test_a_payload_of_the_wrong_shape_still_makes_a_bubble(desk, conversation, payload):
    payload = {key: value for key, value in payload.items() if value != 1e400}
    for kind in ("text", "location", "contacts", "order", "call", "list_reply", "flow_reply", "unheard_of", "image"):
        MessageFactory(conversation=conversation, kind=kind, payload=payload)
    page = desk.get(reverse("desk:messages", args=[conversation.pk])).content.decode()
    assert page.count('data-testid="bubble"') == 9


MARKS = str.maketrans("", "", "*_~`")
TAGS = re.compile(
    r'<(?:/?(?:strong|em|s|code)|/a|a href="https?://[^"<>]*" target="_blank" rel="noopener noreferrer nofollow")>'
)
written = st.text() | st.text(alphabet="ab *_~`<>&\"'\n.https:/\x00", max_size=60) | st.sampled_from(PAYLOADS)


class Nesting(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.open, self.is_sound = [], True
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        self.is_sound &= bool(self.open) and self.open.pop() == tag


@pytest.mark.covers("I01")
@given(written)
def test_formatting_loses_nothing_but_marks_and_adds_nothing_but_our_tags(text):
    page = str(formatted(text))
    bare = TAGS.sub("", page)
    assert not set(bare) & set("<>\"'")
    assert entities.unescape(bare).translate(MARKS) == text_as_html_keeps_it(text).translate(MARKS)
    nesting = Nesting(page)
    assert nesting.is_sound
    assert nesting.open == []


def text_as_html_keeps_it(text):
    """What escaping and unescaping leave alone; entities.unescape may read a reference the text itself spells."""
    return entities.unescape(entities.escape(text, quote=True))


@pytest.mark.covers("I02")
@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("*bold* _it_ ~no~ `c`", "<strong>bold</strong> <em>it</em> <s>no</s> <code>c</code>"),
        ("_*both*_", "<em><strong>both</strong></em>"),
        ("*a _b* c_", "<strong>a _b</strong> c_"),
        ("2*3*4 and snake_case_name", "2*3*4 and snake_case_name"),
        ("* no * _ no _", "* no * _ no _"),
        ("```*code*\n<b>```", "<code>*code*\n&lt;b&gt;</code>"),
        (
            "see https://a.test/x_y_z?q=1&r=2.",
            'see <a href="https://a.test/x_y_z?q=1&amp;r=2" target="_blank" rel="noopener noreferrer nofollow">'
            "https://a.test/x_y_z?q=1&amp;r=2</a>.",
        ),
        ("javascript:alert(1) ftp://x", "javascript:alert(1) ftp://x"),
    ],
)
def test_whatsapps_marks(text, page):
    assert formatted(text) == page


@pytest.mark.parametrize(
    "text",
    ["*a " * 20_000, "`" * 60_000, "```x" * 15_000, "http://" + "." * 60_000, "_*~" * 20_000, "http://a" * 8_000],
)
def test_hostile_text_is_formatted_in_no_time(text):
    started = clock.real()
    formatted(text)
    assert (clock.real() - started).total_seconds() < 1
