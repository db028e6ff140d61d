"""What lists of users and teams can be narrowed by."""

import django_filters  # type: ignore[import-untyped]

from crm.staff.models import Role, Team, User


class UserFilter(django_filters.FilterSet):
    """`?search=&role=&team=&is_active=`."""

    search = django_filters.CharFilter(
        field_name="name", lookup_expr="icontains", max_length=150, help_text="A part of the name, whatever its case."
    )
    role = django_filters.ChoiceFilter(choices=Role.choices)
    team = django_filters.ModelChoiceFilter(field_name="teams", queryset=Team.objects.all(), help_text="Its id.")
    is_active = django_filters.BooleanFilter(help_text="Who left is not active.")

    class Meta:
        model = User
        fields: tuple[str, ...] = ()


class TeamFilter(django_filters.FilterSet):
    """`?search=`."""

    search = django_filters.CharFilter(
        field_name="name", lookup_expr="icontains", max_length=80, help_text="A part of the name, whatever its case."
    )

    class Meta:
        model = Team
        fields: tuple[str, ...] = ()
