"""Index of the app's pages in the administration."""

from crm.contacts import admin as contacts

__all__ = ["contacts"]
