"""What a list of products can be narrowed by."""

import django_filters  # type: ignore[import-untyped]

from catalog.products.models import Product


class ProductFilter(django_filters.FilterSet):
    """`?search=&retailer_id=`."""

    search = django_filters.CharFilter(
        field_name="name", lookup_expr="icontains", max_length=200, help_text="A part of the name, whatever its case."
    )
    retailer_id = django_filters.CharFilter(max_length=100, help_text="Its id in Meta's catalogue.")

    class Meta:
        model = Product
        fields: tuple[str, ...] = ()
