"""A table without a rule fails `make check`."""

from django.db import models
from django.test.utils import isolate_apps

from crm.contacts.models import Contact
from crm.privacy import rules
from crm.privacy.models import AccessLogEntry


def test_every_table_has_its_rule():
    assert rules.missing() == []


@isolate_apps("crm")
def test_a_table_with_a_key_to_a_contact_needs_one():
    class Loyalty(models.Model):  # noqa: DJ008
        contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="+")

        class Meta:
            app_label = "crm"

    (problem,) = rules.missing([Loyalty])
    assert "crm.Loyalty has a key that leads to a contact" in problem


@isolate_apps("crm")
def test_so_does_one_further_away_and_calling_it_impersonal_does_not_help():
    class Look(models.Model):  # noqa: DJ008
        entry = models.ForeignKey(AccessLogEntry, on_delete=models.CASCADE, related_name="+")

        class Meta:
            app_label = "crm"

    assert rules.has_way(Look)
    assert len(rules.missing([Look])) == 1


@isolate_apps("crm")
def test_a_table_without_one_says_so():
    class Weather(models.Model):  # noqa: DJ008
        degrees = models.IntegerField()

        class Meta:
            app_label = "crm"

    (problem,) = rules.missing([Weather])
    assert "or say that it is impersonal" in problem


def test_tables_that_point_at_others_go_first():
    order = [rule.model for rule in rules.all_rules()]
    assert order[-1] is Contact
    for at, model in enumerate(order):
        targets = {key.related_model for key in model._meta.concrete_fields if isinstance(key, models.ForeignKey)}
        assert not targets & set(order[:at]), model


def test_each_section_has_a_heading():
    assert all(str(rule.section) for rule in rules.sections())
