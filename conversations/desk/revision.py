"""A word that changes with every deployment that changes the page: browsers then offer to reload."""

import hashlib

from django.conf import settings


def _revision() -> str:
    digest = hashlib.sha256()
    for folder in ("static/inbox", "templates/inbox"):
        for path in sorted((settings.BASE_DIR / folder).iterdir()):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


REVISION = _revision()
