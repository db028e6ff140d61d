"""Rules of docs/architecture.md that no linter knows."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent
APPS = ("crm", "catalog", "conversations")
DRAWERS = {"services", "utils", "helpers", "common"}


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imported_names(path: Path) -> dict[str, str]:
    """What each name imported by a module stands for, as a dotted path."""
    names = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def connects_a_signal(path: Path) -> bool:
    """Whether a module registers a receiver, by the decorator or by `connect` on something out of a signals module."""
    names = imported_names(path)
    if "django.dispatch.receiver" in names.values():
        return True
    calls = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    for call in calls:
        if isinstance(call, ast.Attribute) and call.attr == "connect":
            root = ast.unparse(call.value).split(".")[0]
            if "signals" in names.get(root, "").split("."):
                return True
    return False


@pytest.mark.parametrize("app", APPS)
def test_the_models_index_of_an_app_names_every_model_of_its_features(app: str):
    for path in modules(app):
        if path.stem.endswith("models"):
            importlib.import_module(name_of(path))
    index = importlib.import_module(f"{app}.models")
    missing = [model.__name__ for model in apps.get_app_config(app).get_models() if not hasattr(index, model.__name__)]
    assert missing == []


def test_no_field_reads_the_clock_by_itself():
    fields = [field for model in apps.get_models() if model._meta.app_label in APPS for field in model._meta.fields]
    assert fields
    assert [
        str(field) for field in fields if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
    ] == []


def test_signals_are_received_in_one_place_of_each_app():
    receivers = {name_of(path) for path in modules(*APPS, "config") if connects_a_signal(path)}
    assert receivers <= {"conversations.reactions", "crm.signals"}


def test_adapters_do_not_know_the_orm():
    adapters = list(modules("conversations/channels"))
    assert adapters
    known = {
        name_of(path): sorted(n for n in imported_names(path).values() if n.startswith("django.db"))
        for path in adapters
    }
    assert {name: names for name, names in known.items() if names} == {}


def test_no_module_is_a_drawer():
    drawers = [
        path for path in modules(*APPS, "config", "simulator", "scripts") if DRAWERS & {path.stem, path.parent.name}
    ]
    assert drawers == []


@pytest.mark.sqlite_too
@pytest.mark.django_db
def test_the_suite_runs_on_the_database_it_was_asked_for():
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        assert Path(name).is_file()
    else:
        assert connection.settings_dict["HOST"] == "127.0.0.1"
        assert connection.settings_dict["PORT"] not in ("", 5432)


@pytest.mark.covers("W09")
@pytest.mark.parametrize("place", ["conversations/graphapi/signature.py", "conversations/ingest/keyring.py"])
def test_secrets_are_compared_in_constant_time(place):
    """How long `==` takes tells how much of a guess is right; only lengths may be compared so."""
    tree = ast.parse((ROOT / place).read_text())
    assert any(isinstance(node, ast.Attribute) and node.attr == "compare_digest" for node in ast.walk(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(how, ast.Eq | ast.NotEq) for how in node.ops):
            assert isinstance(node.left, ast.Call), node.lineno
