"""Products in the administration."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from catalog.products.models import Product
from crm.audit.modeladmin import AuditedAdmin
from crm.foundation.text import clean_text

_CURRENCY = re.compile(r"[A-Z]{3}")


class ProductForm(forms.ModelForm):
    """One thing for sale."""

    class Meta:
        model = Product
        fields = ("name", "retailer_id", "price", "currency")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["price"] = _shown(self.instance.price)

    def clean_name(self) -> str:
        """One line."""
        name = " ".join(clean_text(self.cleaned_data["name"]).split())
        if not name:
            raise forms.ValidationError(_("Write the name of the product."))
        return name

    def clean_price(self) -> Any:
        """Nothing is sold for less than nothing."""
        price = self.cleaned_data["price"]
        if price < 0:
            raise forms.ValidationError(_("A price is not negative."))
        return price

    def clean_currency(self) -> str:
        """An ISO code."""
        currency = self.cleaned_data["currency"].upper()
        if not _CURRENCY.fullmatch(currency):
            raise forms.ValidationError(_("Write the currency as three capital letters, such as EUR."))
        return str(currency)


@admin.register(Product)
class ProductAdmin(AuditedAdmin):
    """What the business sells, as carts and product questions refer to it."""

    form = ProductForm
    fieldsets = ((None, {"fields": (("name", "retailer_id"), ("price", "currency"))}),)
    ordering = ("name", "pk")
    list_display = ("name", "retailer_id", "price_shown")
    search_fields = ("name", "retailer_id")
    search_help_text = gettext_lazy("Name or retailer id")

    @display(description=gettext_lazy("price"))
    def price_shown(self, product: Product) -> str:
        """With its currency, without zeros nobody needs."""
        return f"{number_format(_shown(product.price), use_l10n=True)} {product.currency}"


def _shown(price: Decimal) -> Decimal:
    cents = price.quantize(Decimal("0.01"))
    return cents if cents == price else price
