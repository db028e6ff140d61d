"""What a list of contacts can be narrowed by."""

from decimal import Decimal

import django_filters  # type: ignore[import-untyped]
from django.db.models import Q
from django.utils.translation import gettext as _
from rest_framework import serializers

from crm.contacts import attributes, phones, points, profile
from crm.contacts.attributes import InvalidValue
from crm.contacts.models import ChannelIdentity, Contact, ContactQuerySet, CustomAttribute, Tag
from crm.segments import rules
from crm.segments.models import Segment
from crm.staff.endpoint import user_of

ATTRIBUTE = "attributes."


class ContactFilter(django_filters.FilterSet):
    """By words, number, address, tag, column; and `?attributes.<key>=` by the value of a custom attribute."""

    search = django_filters.CharFilter(
        method="by_words",
        max_length=200,
        help_text="Every word occurs in name, company, phone, e-mail, username, WhatsApp id or an attribute's text; "
        "accents and case do not matter.",
    )
    phone = django_filters.CharFilter(
        method="by_phone", max_length=50, help_text="A number with its country code, in any spelling."
    )
    email = django_filters.CharFilter(
        method="by_email", max_length=254, help_text="A whole address, whatever its case."
    )
    external_id = django_filters.CharFilter(max_length=100, help_text="Exactly.")
    tag = django_filters.CharFilter(method="by_tag", max_length=50, help_text="The name of a tag, whatever its case.")
    language = django_filters.CharFilter(field_name="language", max_length=10, help_text="Exactly, as `es` or `pt-BR`.")
    country = django_filters.CharFilter(max_length=2, lookup_expr="iexact", help_text="Two letters, as `ES`.")
    kind = django_filters.ChoiceFilter(choices=Contact.Kind.choices)
    stage = django_filters.NumberFilter(field_name="stage_id", min_value=1, max_value=2**63 - 1, help_text="An id.")
    owner = django_filters.CharFilter(method="by_owner", max_length=20, help_text="A user's id, `me` or `none`.")

    segment = django_filters.NumberFilter(
        method="by_segment", min_value=1, max_value=2**63 - 1, help_text="The id of a segment: those who are in it now."
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
        written = points.matching(points.PHONE, [digits])
        return queryset.filter(Q(pk__in=written.values("contact_id")) | Q(pk__in=accounts.values("contact_id")))

    def by_email(self, queryset: ContactQuerySet, name: str, value: str) -> ContactQuerySet:
        """Whoever has the address now."""
        return queryset.filter(pk__in=points.matching(points.EMAIL, [value.strip()]).values("contact_id"))

    def by_owner(self, queryset: ContactQuerySet, name: str, value: str) -> ContactQuerySet:
        """Whose contacts; nobody's for what is no id."""
        if value == "none":
            return queryset.filter(owner=None)
        if value == "me":
            return queryset.filter(owner=user_of(self.request))
        is_key = value.isascii() and value.isdigit() and len(value) < 19
        return queryset.filter(owner=int(value)) if is_key else queryset.none()

    def filter_queryset(self, queryset: ContactQuerySet) -> ContactQuerySet:
        """The fixed ones, then custom attributes; raises ValidationError for one there is not, or no value of it."""
        found = super().filter_queryset(queryset)
        wanted = {name.removeprefix(ATTRIBUTE): self.data[name] for name in self.data if name.startswith(ATTRIBUTE)}
        if not wanted:
            return found
        known = {attribute.key: attribute for attribute in CustomAttribute.objects.filter(key__in=wanted)}
        for key, text in wanted.items():
            if key not in known:
                sentence = _("There is no custom attribute “%(key)s”.") % {"key": key[:50]}
                raise serializers.ValidationError({f"{ATTRIBUTE}{key}": [sentence]})
            try:
                value = attributes.read(known[key], text)
            except InvalidValue as error:
                raise serializers.ValidationError({f"{ATTRIBUTE}{key}": [str(error)]}) from error
            lookup = attributes.lookup(key)
            found = found.filter(lookup("isnull", True) if value is None else lookup("exact", value))
        return found

    def by_segment(self, queryset: ContactQuerySet, name: str, value: Decimal) -> ContactQuerySet:
        """Its members; nobody if there is none of this id. Raises BrokenRule."""
        segment = Segment.objects.filter(pk=int(value)).first()
        return rules.narrow(queryset, segment) if segment else queryset.none()

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
