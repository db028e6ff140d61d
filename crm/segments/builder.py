"""A rule as the builder shows it: groups and rows with what may be chosen, also for one broken or half made."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from crm.segments import operators, rules
from crm.segments.fields import Catalogue, Field
from crm.segments.operators import Operator

# Rows and groups that are shown at most; 50 conditions, each in two groups of its own, are as many.
PARTS_MAX = rules.CONDITIONS_MAX * rules.DEPTH_MAX

type Option = tuple[str, str, bool]  # value, label, whether it is chosen


@dataclass(frozen=True)
class Row:
    """A condition with its three controls; `unknown` is a field that is not there any more."""

    groups: list[tuple[str, list[Option]]]
    operators: list[Option] = field(default_factory=list)
    asks: str = ""
    values: tuple[str, str] = ("", "")
    choices: list[Option] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)  # chosen, but not there any more
    unknown: str = ""
    problem: str = ""

    is_group = False


@dataclass(frozen=True)
class Box:
    """A group of rows and groups; `holds_groups`: there may be groups in it."""

    mode: str
    parts: list["Row | Box"]
    depth: int
    problem: str = ""

    is_group = True

    @property
    def holds_groups(self) -> bool:
        """Rules go three levels deep."""
        return self.depth < rules.DEPTH_MAX


def box(raw: Any, catalogue: Catalogue, problems: Mapping[str, str]) -> Box:
    """A rule, or whatever was sent as one, with the sentence of what is wrong at each row."""
    return _box(raw, catalogue, problems, "", 1, iter(range(PARTS_MAX)))


def _box(
    raw: Any, catalogue: Catalogue, problems: Mapping[str, str], path: str, depth: int, room: Iterator[int]
) -> Box:
    mode, parts = rules.parts_of(raw) or ("all", [])
    found: list[Row | Box] = []
    for number, part in enumerate(parts):
        if next(room, None) is None:
            break
        below = f"{path}.{number}".lstrip(".")
        if rules.parts_of(part) is not None and depth < rules.DEPTH_MAX:
            found.append(_box(part, catalogue, problems, below, depth + 1, room))
        else:
            found.append(row(part, catalogue, problems.get(below, "")))
    return Box(mode, found, depth, problems.get(path, "") if path else "")


def row(raw: Any, catalogue: Catalogue, problem: str = "") -> Row:
    """One condition."""
    raw = raw if isinstance(raw, dict) else {}
    name = str(raw.get("field") or "")[:100]
    chosen = catalogue.find(name)
    groups = _fields(catalogue, name)
    if chosen is None:
        return Row(groups, unknown=name, problem=problem)
    known = operators.of(chosen)
    said = str(raw.get("op") or next(iter(known)))[:100]
    offered = [(one.name, str(one.label), one.name == said) for one in known.values()]
    if said not in known:
        return Row(groups, [(said, _marked(said), True), *offered], problem=problem)
    operator, value = known[said], raw.get("value")
    choices, gone = _choices(chosen, operator, value, catalogue)
    return Row(groups, offered, operator.asks, _values(value), choices, gone, problem=problem)


def _fields(catalogue: Catalogue, name: str) -> list[tuple[str, list[Option]]]:
    groups: dict[str, list[Option]] = {}
    for one in catalogue.all():
        groups.setdefault(str(one.group), []).append((one.name, str(one.label), one.name == name))
    return list(groups.items())


def _values(raw: Any) -> tuple[str, str]:
    """What stands in the one or two inputs."""
    both = raw if isinstance(raw, list) else [raw]
    texts = [str(one).lower() if isinstance(one, bool) else str(one) for one in both if one is not None]
    first, last, *_more = [*texts, "", ""]
    return first, last


def _choices(
    chosen: Field, operator: Operator, raw: Any, catalogue: Catalogue
) -> tuple[list[Option], list[tuple[str, str]]]:
    """What may be chosen, what is chosen first; and what was chosen and is gone."""
    if operator.asks != "choices":
        return [], []
    listed = raw if isinstance(raw, list) else [raw]
    wanted = dict.fromkeys(str(one)[: operators.TEXT_MAX] for one in listed if one not in (None, ""))
    options = [(str(value), str(label), str(value) in wanted) for value, label in catalogue.choices(chosen).items()]
    known = {value for value, _label, _is_chosen in options}
    gone = [(value, _marked(value)) for value in wanted if value not in known]
    return sorted(options, key=lambda option: not option[2]), gone[: operators.VALUES_MAX]


def _marked(value: str) -> str:
    return _("%(value)s (deleted)") % {"value": value}
