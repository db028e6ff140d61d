"""Index of the app's API routes: (prefix, viewset, basename)."""

from catalog.products.api import ProductViewSet

routes = [("products", ProductViewSet, "product")]
