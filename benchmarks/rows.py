"""What a program reports: a comparison with its goal, or a figure of its own; and both as tables."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One goal: what the product did, what the limit or peer did in the same run, and whether the goal is met.

    `met` is None where the row has no goal, or was not run (`reason` then says why).
    """

    area: str
    product: str
    against: str
    ratio: float | None
    goal: str
    met: bool | None
    reason: str = ""

    @property
    def verdict(self) -> str:
        """The word for the column "met"."""
        return {True: "met", False: "**missed**", None: "–"}[self.met]


@dataclass(frozen=True)
class Figure:
    """A measured value that is compared with a number instead of another program, or with nothing."""

    name: str
    value: str
    goal: str = ""
    met: bool | None = None
    note: str = ""


ROW_HEAD = ("area", "product", "limit or peer", "ratio", "goal", "met", "remarks")
FIGURE_HEAD = ("figure", "measured", "goal", "met", "remarks")


def row_cells(row: Row) -> tuple[str, ...]:
    """A row as the cells of its table."""
    ratio = "–" if row.ratio is None else f"{row.ratio:.3g}"
    return row.area, row.product, row.against, ratio, row.goal, row.verdict, row.reason


def figure_cells(figure: Figure) -> tuple[str, ...]:
    """A figure as the cells of its table."""
    verdict = {True: "met", False: "**missed**", None: "–"}[figure.met]
    return figure.name, figure.value, figure.goal or "–", verdict, figure.note


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are as wide as their longest cell."""
    cells = [list(head), *(list(line) for line in lines)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(head))]
    padded = [f"| {' | '.join(map(str.ljust, line, widths))} |" for line in cells]
    padded.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(padded)


def rate(value: float, unit: str) -> str:
    """A rate for people: 8,020 req/s."""
    return f"{value:,.0f} {unit}"


def milliseconds(seconds: float) -> str:
    """A time for people: 3.42 ms."""
    value = seconds * 1000
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms" if value >= 10 else f"{value:.2f} ms"
