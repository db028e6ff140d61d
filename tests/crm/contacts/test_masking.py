import pytest
from django.test import Client
from django.urls import reverse

from crm.contacts import masking, profile
from crm.contacts.models import Contact
from crm.staff.viewer import seen_by
from tests.api import Integrator
from tests.factories import ConversationFactory, TeamFactory, UserFactory

pytestmark = pytest.mark.django_db
NUMBER, EMAIL = "+34611223344", "ana@example.com"


def number_hidden(text):
    return not any(part in text for part in ("611223344", "611 223 344", "611 22 33 44", "ana@example"))


@pytest.fixture
def restricted():
    return UserFactory(restricted=True, teams=[TeamFactory()])


@pytest.fixture
def conversation(restricted):
    found = ConversationFactory(identity__contact__phone=NUMBER, identity__contact__name="", assignee=restricted)
    profile.write(found.contact, by=UserFactory(manager=True), email=EMAIL)
    return found


def test_who_sees_addresses_in_full():
    seen = {
        role: masking.may_see_addresses(UserFactory(role=role))
        for role in ("manager", "agent", "restricted", "integrator")
    }
    assert seen == {"manager": True, "agent": True, "restricted": False, "integrator": True}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (NUMBER, "+34 ••• ••• 344"), ("+5511987654321", "+55 ••• ••• 321"), ("+12", "•••"), ("", ""), (None, ""),
        ("group@g.us", "•••"),
    ],
)  # fmt: skip
def test_a_number_shows_its_country_and_its_end(restricted, value, shown):
    assert masking.phone(value, restricted) == shown
    assert masking.phone(value, UserFactory()) == (value or "")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(EMAIL, "a•••@e•••.com"), ("x@y.co.uk", "x•••@y•••.uk"), ("no address", "•••"), ("", "")],
)
def test_an_address_shows_its_first_letters(restricted, value, shown):
    assert masking.email(value, restricted) == shown


def test_a_name_that_is_a_number_is_masked_like_one(restricted):
    assert number_hidden(masking.name("611 223 344", restricted))
    assert masking.name("Ana 2", restricted) == "Ana 2"


@pytest.mark.sqlite_too
def test_search_by_a_part_of_a_number_finds_nobody_and_by_the_whole_one_only_its_owner(restricted, conversation):
    contact = conversation.contact
    profile.write(contact, by=UserFactory(manager=True), company="Acme", attributes={})
    for text in ("611223", "223344", "ana@", "example.com", "34611", "344"):
        assert not Contact.objects.search(text, restricted).exists(), text
        assert Contact.objects.search(text, UserFactory()).exists() or text == "344"
    for text in (NUMBER, "0034 611 223 344", EMAIL.upper(), "acme"):
        assert list(Contact.objects.search(text, restricted)) == [contact], text
    with seen_by(restricted):
        assert not Contact.objects.search("611223").exists()


def test_the_api_masks_for_a_restricted_agent(restricted, conversation):
    api = Integrator(restricted)
    path = f"contacts/{conversation.contact.pk}/"
    shown = api.get(path).json()
    assert (shown["phone"], shown["email"]) == ("+34 ••• ••• 344", "a•••@e•••.com")
    for address in (
        path,
        "contacts/",
        f"{path}points/",
        f"conversations/{conversation.pk}/messages/",
        "conversations/",
    ):
        assert number_hidden(api.get(address).content.decode()), address
    assert api.get("contacts/", search="611223").json()["results"] == []
    assert len(api.get("contacts/", search="+34 611 223 344").json()["results"]) == 1
    assert api.patch(path, {"phone": "+34 ••• ••• 344"}).status_code == 400


def test_a_narrow_token_sees_them_with_its_scope_only(conversation):
    user = UserFactory(integrator=True)
    path = f"contacts/{conversation.contact.pk}/"
    assert Integrator(user, "contacts:read").get(path).json()["phone"] == "+34 ••• ••• 344"
    assert Integrator(user, "contacts:read", "addresses:read").get(path).json()["phone"] == NUMBER
    assert Integrator(user, "read").get(path).json()["phone"] == NUMBER


def test_the_inbox_shows_a_restricted_agent_no_number_anywhere(restricted, conversation):
    other = UserFactory(manager=True)
    profile.write(conversation.contact, by=other, phone="+34611223345")
    profile.write(conversation.contact, by=other, phone=NUMBER)
    client, pk = Client(), conversation.pk
    client.force_login(restricted)
    pages = [
        reverse("desk:inbox") + "?view=mine", reverse("desk:list") + "?view=mine", reverse("desk:rows") + "?view=mine",
        reverse("desk:conversation", args=[pk]), reverse("desk:header", args=[pk]), reverse("desk:panel", args=[pk]),
        reverse("desk:panel-timeline", args=[pk]), reverse("desk:search") + "?q=Acme", reverse("desk:alert", args=[pk]),
        reverse("desk:search") + "?q=%2B34611223344", reverse("desk:palette") + "?q=%2B34611223344",
    ]  # fmt: skip
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 200, page
        text = answer.content.decode()
        assert number_hidden(text.replace(NUMBER, "") if "q=" in page else text), page
        assert "611223345" not in text, page
    client.force_login(UserFactory(manager=True))
    assert "611 22 33 44" in client.get(reverse("desk:panel", args=[pk])).content.decode()


def test_a_manager_who_looks_as_a_restricted_agent_sees_what_they_see(restricted, conversation):
    client, manager = Client(), UserFactory(manager=True)
    client.force_login(manager)
    client.post(reverse("desk:view-as"), {"user": restricted.pk})
    assert number_hidden(client.get(reverse("desk:panel", args=[conversation.pk])).content.decode())


@pytest.mark.parametrize(
    "name",
    [
        "(+34) 611223344", "tel:+34611223344", "Tel. 611 223 344", "+34·611·223·344", "611223344 📱",
        "\uff0b\uff13\uff14\uff16\uff11\uff11\uff12\uff12\uff13\uff13", "\u0666\u0661\u0661\u0662\u0662\u0663\u0663",
    ],
)  # fmt: skip
def test_a_number_in_any_dress_is_one(restricted, name):
    assert masking.DOTS in masking.name(name, restricted)
    assert masking.name(name, UserFactory()) == name


def test_an_address_in_wide_letters_is_one_and_words_are_none(restricted):
    assert masking.name("\uff41na\uff20example.com", restricted) == "a•••@e•••.com"
    for name in ("Telma 611223344", "Ana 611223344", "2 caminos", "R2-D2", "Route 66 📱"):
        assert masking.name(name, restricted) == name


@pytest.mark.sqlite_too
def test_pieces_of_a_name_that_is_an_address_find_nobody(restricted):
    called = ConversationFactory(identity__contact__phone=None, assignee=restricted).contact
    profile.write(called, by=UserFactory(manager=True), name=EMAIL, company="Acme")
    for text in ("ana@", "example", "ana@example.co"):
        assert not Contact.objects.search(text, restricted).exists(), text
        assert Contact.objects.search(text, UserFactory()).exists()
    assert list(Contact.objects.search("acme", restricted)) == [called]


def test_the_inbox_offers_no_way_to_end_what_one_does_not_see(restricted, conversation):
    contact = conversation.contact
    further = profile.add_point(contact, "phone", "+34611223355", by=UserFactory())
    client = Client()
    client.force_login(restricted)
    panel = client.get(reverse("desk:panel", args=[conversation.pk])).content.decode()
    assert "point-off" not in panel
    for act in ("off", "first"):
        answer = client.post(reverse("desk:contact-points", args=[conversation.pk]), {act: further.pk})
        assert answer.status_code == 422
    client.force_login(UserFactory(manager=True))
    assert "point-off" in client.get(reverse("desk:panel", args=[conversation.pk])).content.decode()
