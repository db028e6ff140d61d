"""Adapters: one folder per channel, speaking the provider's protocol; no models, no database."""
