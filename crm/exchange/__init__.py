"""Contacts in and out as files, and changes to many of them at once, in the background."""
