"""OIDC_… in allauth's words: one provider of OpenID Connect, or none."""

import re
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured


def provider(issuer: str, client_id: str, secret: str, *, name: str, trusts_email: bool) -> dict[str, Any]:
    """The provider's id in our URLs, its origin and allauth's `APPS`; empty without an issuer. Raises
    ImproperlyConfigured for half a configuration.
    """
    if not issuer:
        return {}
    parts = urlsplit(issuer)
    if not client_id or parts.scheme != "https" or not parts.hostname:
        raise ImproperlyConfigured("OIDC_ISSUER needs https:// and OIDC_CLIENT_ID (docs/sign-in.md).")
    # The name of a person at the provider is theirs at this issuer only: another issuer is another provider.
    provider_id = re.sub(r"[^a-z0-9]+", "-", f"{parts.netloc}{parts.path}".lower()).strip("-")
    app = {
        "provider_id": provider_id,
        "name": name,
        "client_id": client_id,
        "secret": secret,
        "settings": {"server_url": issuer.rstrip("/"), "oauth_pkce_enabled": True},
    }
    return {
        "id": provider_id,
        "name": name,
        "origin": f"https://{parts.netloc}",
        "trusts_email": trusts_email,
        "apps": [app],
    }
