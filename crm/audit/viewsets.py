"""Records what the API writes of rows that no function of a feature writes."""

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.shortcuts import get_object_or_404

from crm.audit import log

if TYPE_CHECKING:
    from rest_framework.viewsets import ModelViewSet

    _Base = ModelViewSet[Any]
else:
    _Base = object


class RecordsWrites(_Base):
    """Mixin before DRF's ModelViewSet: each row created, changed or deleted is recorded with the act, or neither is."""

    def perform_create(self, serializer: Any) -> None:
        """Save and record."""
        with transaction.atomic():
            log.created(serializer.save())

    def perform_update(self, serializer: Any) -> None:
        """Save over the row as it stands, locked, and record what differs."""
        rows = type(serializer.instance)._base_manager.select_for_update(no_key=True)
        with transaction.atomic():
            serializer.instance = get_object_or_404(rows, pk=serializer.instance.pk)
            before = log.snapshot(serializer.instance)
            log.changed(serializer.save(), before)

    def perform_destroy(self, instance: Any) -> None:
        """Record and delete."""
        with transaction.atomic():
            log.deleted(instance)
            instance.delete()
