"""The product's settings with Django's own administration: its templates instead of Unfold's, a site of its own."""

from config import settings as product
from config.settings import *  # noqa: F403

INSTALLED_APPS = [name for name in product.INSTALLED_APPS if not name.startswith("unfold")]
TEMPLATES = [{**product.TEMPLATES[0], "DIRS": []}]
ROOT_URLCONF = "benchmarks.sides.plain_administration"
