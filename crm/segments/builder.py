"""A rule as the builder shows it: groups and rows with what may be chosen, also for one broken or half made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crm.segments import operators, rules
from crm.segments.fields import Catalogue, Field
from crm.segments.operators import Operator

type Option = tuple[str, str, bool]  # value, label, whether it is chosen


@dataclass(frozen=True)
class Row:
    """A condition with its three controls; `unknown` is a field that is not there any more."""

    groups: list[tuple[str, list[Option]]]
    operators: list[Option] = field(default_factory=list)
    asks: str = ""
    values: tuple[str, str] = ("", "")
    choices: list[Option] = field(default_factory=list)
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


def box(
    raw: Any, catalogue: Catalogue, problems: Mapping[str, str] | None = None, path: str = "", depth: int = 1
) -> Box:
    """A rule, or whatever was sent as one, with the sentence of what is wrong at each row."""
    mode, parts = rules.parts_of(raw) or ("all", [])
    found: list[Row | Box] = []
    for number, part in enumerate(parts[: rules.CONDITIONS_MAX]):
        below = f"{path}.{number}".lstrip(".")
        if rules.parts_of(part) is not None and depth < rules.DEPTH_MAX:
            found.append(box(part, catalogue, problems, below, depth + 1))
        else:
            found.append(row(part, catalogue, (problems or {}).get(below, "")))
    return Box(mode, found, depth, (problems or {}).get(path, "") if path else "")


def row(raw: Any, catalogue: Catalogue, problem: str = "") -> Row:
    """One condition."""
    raw = raw if isinstance(raw, dict) else {}
    name = str(raw.get("field") or "")[:100]
    chosen = catalogue.find(name)
    groups = _fields(catalogue, name)
    if chosen is None:
        return Row(groups, unknown=name, problem=problem)
    known = operators.of(chosen)
    operator = known.get(str(raw.get("op"))) or next(iter(known.values()))
    return Row(
        groups,
        [(one.name, str(one.label), one is operator) for one in known.values()],
        operator.asks,
        _values(raw.get("value")),
        _choices(chosen, operator, raw.get("value"), catalogue),
        problem=problem,
    )


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


def _choices(chosen: Field, operator: Operator, raw: Any, catalogue: Catalogue) -> list[Option]:
    """What may be chosen, what is chosen first."""
    if operator.asks != "choices":
        return []
    wanted = {str(one) for one in (raw if isinstance(raw, list) else [raw])}
    options = [(str(value), str(label), str(value) in wanted) for value, label in catalogue.choices(chosen).items()]
    return sorted(options, key=lambda option: not option[2])
