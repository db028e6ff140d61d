"""Numbers as WhatsApp spells them: the one form in which two spellings meet, and the number one can dial."""

import pytest

from crm.contacts.phones import digits_of, e164, match_key


@pytest.mark.parametrize(
    ("old", "new", "dial"),
    [
        ("551187654321", "5511987654321", "+5511987654321"),  # Brazil's ninth digit
        ("5521612345678"[:12], "55219" + "61234567", "+5521961234567"),
        ("5215512345678", "525512345678", "+525512345678"),  # Mexico's 1
    ],
)
def test_the_old_and_the_new_spelling_of_a_number_meet(old, new, dial):
    assert match_key(old) == match_key(new)
    assert e164(old) == e164(new) == dial


def test_argentine_mobiles_meet_without_losing_the_nine_one_dials():
    assert match_key("5491123456789") == match_key("541123456789")
    assert e164("5491123456789") == "+5491123456789"


@pytest.mark.parametrize("landline", ["551133334444", "552125554444"])
def test_brazilian_landlines_have_no_ninth_digit(landline):
    assert match_key(landline) == landline
    assert e164(landline) == f"+{landline}"


@pytest.mark.parametrize("number", ["34600111222", "16505551234", "4915112345678", "52155123", "5511", "549112"])
def test_other_numbers_are_left_alone(number):
    assert match_key(number) == number


@pytest.mark.parametrize("written", ["+34 600 111-222", "34.600.111.222", "(34)600111222", "34600111222"])
def test_writing_for_people_does_not_matter(written):
    assert (digits_of(written), match_key(written), e164(written)) == ("34600111222", "34600111222", "+34600111222")


@pytest.mark.parametrize("nonsense", ["", "abc", "१२३४५६७८", "²³45678", "1234", "9" * 21, "ES.1349", "12345\u0000"])
def test_what_is_no_number_has_no_number(nonsense):
    assert digits_of(nonsense) == ""
    assert e164(nonsense) is None
    assert match_key(nonsense) == nonsense


def test_digits_that_no_country_has_are_not_dialled():
    assert e164("99999999999999999999") is None
