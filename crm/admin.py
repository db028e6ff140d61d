"""Index of the app's pages in the administration."""

from crm.audit import admin as audit
from crm.consent import admin as consent
from crm.contacts import admin as contacts
from crm.exchange import admin as exchange
from crm.merging import admin as merging
from crm.privacy import admin as privacy
from crm.segments import admin as segments
from crm.staff import admin as staff

__all__ = ["audit", "consent", "contacts", "exchange", "merging", "privacy", "segments", "staff"]
