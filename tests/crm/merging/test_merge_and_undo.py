"""Merging and taking it back: random lives, merge, undo = the state before; and what happened since."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from crm.contacts.models import Contact
from crm.foundation.repointing import relations_to
from crm.merging import merge, undo
from crm.merging.journal import DROPPED, KEPT
from crm.merging.models import MergeRecord
from crm.merging.values import CHOSEN, POINTS
from tests.crm.merging import lives
from tests.crm.merging.lives import Lives, known, words

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]

choices = st.dictionaries(
    st.sampled_from([*CHOSEN, *POINTS, "attributes.a", "attributes.b"]), st.sampled_from([KEPT, DROPPED]), max_size=6
)


def lived(deeds):
    life = Lives()
    for deed in deeds:
        life.do(*deed)
    return life


def test_lives_reach_every_table_that_points_at_contacts():
    """Else the properties below would say nothing of a new one."""
    life = Lives()
    for deed in lives.DEEDS:
        for whose in (0, 1):
            life.do(deed, whose, 1)
    for model, key in set(relations_to(Contact)) - {(MergeRecord, MergeRecord._meta.get_field("kept"))}:
        holders = set(model._base_manager.values_list(key.attname, flat=True))
        assert holders & {life.people[0].pk, life.people[1].pk}, f"{model._meta.label}.{key.name}"
    record = merge.merge(*life.people[:2], by=life.by)
    reached = set(record.moved) | {model for kind in record.lost.values() for model in kind}
    assert {
        "conversations.conversation", "crm.channelidentity", "crm.contactpoint", "crm.contacttag", "crm.contactnote",
        "crm.contactfile", "crm.contactevent", "crm.consentevent", "crm.contactchange",
    } <= reached  # fmt: skip


class Undoing(TestCase):
    @settings(
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        max_examples=60,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(lives.deeds, choices)
    def test_merge_and_undo_is_the_state_before(self, deeds, choices):
        life = lived(deeds)
        kept, dropped, _other = life.people
        before, found_by = known(), [words(one) for one in (kept, dropped)]
        record = merge.merge(kept, dropped, by=life.by, choices=choices)
        assert not Contact.objects.filter(pk=dropped.pk).exists()
        restored = undo.undo(record, by=life.by)
        assert restored.pk == dropped.pk
        assert known() == before
        assert [words(one) for one in (kept, dropped)] == found_by

    @settings(
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        max_examples=30,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(lives.deeds, st.booleans())
    def test_two_merges_taken_back_in_turn_are_the_state_before(self, deeds, is_chain):
        life = lived(deeds)
        one, two, three = life.people
        before = known()
        first = merge.merge(two, three, by=life.by) if is_chain else merge.merge(one, three, by=life.by)
        between = known()
        second = merge.merge(one, two, by=life.by)
        undo.undo(second, by=life.by)
        assert known() == between
        undo.undo(MergeRecord.objects.get(pk=first.pk), by=life.by)
        assert known() == before
