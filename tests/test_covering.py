"""The table of docs/proofs.md: complete, and as the tests say."""

from pathlib import Path

from tests import covering


def test_every_id_has_a_test_or_a_reason():
    found = covering.proofs()
    assert covering.missing(found) == []
    assert sorted(covering.WITHOUT.keys() & found.keys()) == [], "has a test by now: take the reason away"


def test_no_test_names_an_id_that_is_not_on_the_list():
    assert sorted(covering.proofs().keys() - covering.IDS.keys()) == []


def test_the_table_is_the_one_in_the_document():
    assert covering.written() == covering.table(covering.proofs()), "run: python -m tests.covering --write"


def test_marks_are_found_on_modules_classes_and_functions(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "test_it.py").write_text(
        'pytestmark = [pytest.mark.django_db, pytest.mark.covers("F1")]\n'
        '@pytest.mark.covers("W1", "W2")\nclass TestIt:\n'
        '    @pytest.mark.covers("A1")\n    async def test_a(self): ...\n'
        "def helper(): ...\ndef test_b(): ...\n"
    )
    found = {one: [test.name for test in tests] for one, tests in covering.proofs(tmp_path).items()}
    assert found == {"A1": ["a"], "F1": ["a", "b"], "W1": ["a"], "W2": ["a"]}
