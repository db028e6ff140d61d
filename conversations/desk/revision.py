"""What belongs to one deployment: a word that changes with every one that changes the page (browsers then offer to
reload), and where its scripts are.
"""

import functools
import hashlib

from django.conf import settings
from django.templatetags.static import static


def _revision() -> str:
    digest = hashlib.sha256()
    for folder in ("static/inbox", "templates/inbox"):
        for path in sorted((settings.BASE_DIR / folder).iterdir()):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@functools.cache
def module_urls() -> dict[str, str]:
    """The inbox's scripts by name: what loads one later must use the same (hashed) address as those that import it."""
    names = sorted(path.name for path in (settings.BASE_DIR / "static/inbox").glob("*.js"))
    return {name.removesuffix(".js"): static(f"inbox/{name}") for name in names}


REVISION = _revision()
