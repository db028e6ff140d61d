"""The log of live hints: what changed, for whom; browsers pull what they missed. And who is here."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models.expressions import Func

from crm.foundation import clock


class CurrentTransaction(Func):
    """The id of the writing transaction: PostgreSQL only; elsewhere 0, where id order is commit order."""

    template = "0"
    arity = 0
    output_field: models.Field = models.BigIntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """pg_current_xact_id() as a bigint."""
        return self.as_sql(compiler, connection, template="pg_current_xact_id()::text::bigint", **extra)


class LiveHint(models.Model):
    """One hint: ids and states only, no text and no personal data. Kept 48 hours.

    Readers go by its place: on PostgreSQL the writing transaction, since ids are given out before others commit.
    """

    groups = models.JSONField()
    payload = models.JSONField()
    transaction_id = models.BigIntegerField(db_default=CurrentTransaction())
    created_at = models.DateTimeField(default=clock.real)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["transaction_id", "id"], name="livehint_place"),  # sync pulls, the head
            models.Index(fields=["created_at"], name="livehint_created"),  # retention; ?updated_after= of the API
        ]

    def __str__(self) -> str:
        return f"hint {self.pk}"


class Seat(models.Model):
    """When a person's browser was last connected to the inbox; written every half minute while it is."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", primary_key=True)
    seen_at = models.DateTimeField(default=clock.real)

    def __str__(self) -> str:
        return f"seat of {self.user_id}"
