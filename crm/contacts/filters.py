"""What a list of contacts can be narrowed by."""

import django_filters  # type: ignore[import-untyped]
from django.db.models import Q

from crm.contacts import phones, profile
from crm.contacts.models import ChannelIdentity, Contact, ContactQuerySet, CustomAttribute, Tag


class ContactFilter(django_filters.FilterSet):
    """`?search=`, `?phone=`, `?tag=` and `?language=`."""

    search = django_filters.CharFilter(
        method="by_words",
        max_length=200,
        help_text="Every word occurs in name, phone, username or WhatsApp id; accents and case do not matter.",
    )
    phone = django_filters.CharFilter(
        method="by_phone", max_length=50, help_text="A number with its country code, in any spelling."
    )

    tag = django_filters.CharFilter(method="by_tag", max_length=50, help_text="The name of a tag, whatever its case.")
    language = django_filters.CharFilter(field_name="language", max_length=10, help_text="Exactly, as `es` or `pt-BR`.")

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

    def by_tag(self, queryset: ContactQuerySet, name: str, value: str) -> ContactQuerySet:
        """Those who have it; nobody if there is none of this name."""
        tag = profile.find_tag(value)
        return queryset.filter(contact_tags__tag=tag) if tag else queryset.none()


class TagFilter(django_filters.FilterSet):
    """`?search=`."""

    search = django_filters.CharFilter(
        field_name="name", lookup_expr="icontains", max_length=50, help_text="A part of the name, whatever its case."
    )

    class Meta:
        model = Tag
        fields: tuple[str, ...] = ()


class AttributeFilter(django_filters.FilterSet):
    """`?key=&type=`."""

    key = django_filters.CharFilter(max_length=50, help_text="Exactly.")
    type = django_filters.ChoiceFilter(choices=CustomAttribute.Type.choices)

    class Meta:
        model = CustomAttribute
        fields: tuple[str, ...] = ()
