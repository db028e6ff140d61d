"""Index of the app's models."""

from catalog.products.models import Product

__all__ = ["Product"]
