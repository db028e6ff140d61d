import pytest

from catalog.products.models import Product
from tests.api import Integrator
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

POLICY = {"retailer_id": "SKU-1", "name": "Home insurance", "price": "120.500", "currency": "EUR"}


@pytest.fixture
def api():
    return Integrator(UserFactory(integrator=True))


def test_a_product_is_made_read_changed_and_deleted(api):
    made = api.post("products/", POLICY)
    assert made.status_code == 201
    path = f"products/{made.json()['id']}/"
    assert POLICY.items() <= api.get(path).json().items()
    assert api.patch(path, {"price": "99"}).json()["price"] == "99.000"
    assert [row["id"] for row in api.get("products/").json()["results"]] == [made.json()["id"]]
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [("currency", "euro"), ("currency", "eur"), ("price", "-1"), ("price", "1e400"), ("price", "NaN"), ("name", "")],
)
def test_what_makes_no_sense_is_refused_with_the_name_of_the_field(api, field, value):
    answer = api.post("products/", POLICY | {field: value})
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]
    assert not Product.objects.exists()


def test_a_retailer_id_is_used_once(api):
    api.post("products/", POLICY)
    answer = api.post("products/", POLICY)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["retailer_id"])


def test_agents_read_products_and_do_not_change_them():
    agent = Integrator(UserFactory())
    assert agent.get("products/").status_code == 200
    assert agent.post("products/", POLICY).status_code == 403
