"""Products in the API."""

from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers, viewsets

from catalog.products.filters import ProductFilter
from catalog.products.models import Product
from crm.audit.viewsets import RecordsWrites
from crm.staff.endpoint import Endpoint


class ProductSerializer(serializers.ModelSerializer[Product]):
    """One thing for sale; `retailer_id` is its id in Meta's catalogue."""

    price = serializers.DecimalField(max_digits=12, decimal_places=3, min_value=0)
    currency = serializers.CharField(
        validators=[RegexValidator(r"\A[A-Z]{3}\Z", _("Write the currency as three capital letters, such as EUR."))]
    )

    class Meta:
        model = Product
        fields = ("id", "retailer_id", "name", "price", "currency", "created_at")
        read_only_fields = ("created_at",)


class ProductViewSet(Endpoint, RecordsWrites, viewsets.ModelViewSet[Product]):
    """What the business sells, as carts and product questions refer to it."""

    resource = "products"
    queryset = Product.objects.all()
    serializer_class = ProductSerializer
    filterset_class = ProductFilter
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    lookup_value_regex = "[0-9]{1,18}"
