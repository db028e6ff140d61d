"""What a list of contacts can be narrowed by."""

import django_filters  # type: ignore[import-untyped]
from django.db.models import Q

from crm.contacts import phones, profile
from crm.contacts.models import ChannelIdentity, Contact, ContactQuerySet


class ContactFilter(django_filters.FilterSet):
    """`?search=` and `?phone=`."""

    search = django_filters.CharFilter(
        method="by_words",
        max_length=200,
        help_text="Every word occurs in name, phone, username or WhatsApp id; accents and case do not matter.",
    )
    phone = django_filters.CharFilter(
        method="by_phone", max_length=50, help_text="A number with its country code, in any spelling."
    )

    class Meta:
        model = Contact
        fields: tuple[str, ...] = ()

    def by_words(self, queryset: ContactQuerySet, name: str, value: str) -> ContactQuerySet:
        """Full text."""
        return queryset.search(value)

    def by_phone(self, queryset: ContactQuerySet, name: str, value: str) -> ContactQuerySet:
        """The number as written, or as the account's WhatsApp id spells it."""
        digits = phones.digits_of(value).removeprefix("00")
        if not digits:
            return queryset.none()
        accounts = ChannelIdentity.objects.filter(match_key=phones.match_key(digits))
        return queryset.filter(Q(phone=profile.number(value) or f"+{digits}") | Q(pk__in=accounts.values("contact_id")))
