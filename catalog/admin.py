"""Index of the app's pages in the administration."""

from catalog.products import admin as products

__all__ = ["products"]
