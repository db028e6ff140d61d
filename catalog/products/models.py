"""Products: what a cart or a product question in a conversation refers to."""

from collections.abc import Iterable
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.foundation import clock


class ProductQuerySet(models.QuerySet["Product"]):
    """Products by the ids WhatsApp uses."""

    def names(self, retailer_ids: Iterable[str]) -> dict[str, str]:
        """Name by retailer id, for those that exist; no query for no ids."""
        wanted = set(retailer_ids)
        return dict(self.filter(retailer_id__in=wanted).values_list("retailer_id", "name")) if wanted else {}


class Product(models.Model):
    """One thing for sale; `retailer_id` is its id in Meta's catalogue."""

    retailer_id = models.CharField(_("retailer id"), max_length=100)
    name = models.CharField(_("name"), max_length=200)
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=3)
    currency = models.CharField(_("currency"), max_length=3)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = ProductQuerySet.as_manager()

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["retailer_id"], name="product_retailer_id_once"),
            models.CheckConstraint(condition=models.Q(price__gte=0), name="product_price_is_not_negative"),
        ]

    def __str__(self) -> str:
        return self.name
