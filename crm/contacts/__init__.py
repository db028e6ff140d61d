"""Contacts, their accounts on each channel, and tags."""
