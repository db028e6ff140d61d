"""Django with the product's settings, for sides that work inside it; import before any model."""

import django

django.setup()
