"""The routes of the URLconf, flat, and what an address needs in place of its arguments."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, get_resolver

MODEL_PAGES = {"changelist": "list", "add": "add", "change": "change", "delete": "delete", "history": "history"}
_ARGUMENT = re.compile(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)|<(?:\w+:)?(\w+)>")


@dataclass(frozen=True)
class Route:
    """One pattern: `name` is its namespace and name, both possibly empty."""

    name: str
    pattern: str
    view: Any

    @property
    def arguments(self) -> list[str]:
        """The names of its arguments."""
        return [first or second for first, second in _ARGUMENT.findall(self.pattern)]

    @property
    def page(self) -> tuple[str, str] | None:
        """Of the administration's page of a model: `app_model` and what one does there."""
        model, _sep, kind = self.name.removeprefix("admin:").rpartition("_")
        is_page = kind in MODEL_PAGES and f"admin/{model.partition('_')[0]}/" in self.pattern
        return (model, MODEL_PAGES[kind]) if is_page else None

    @property
    def methods(self) -> set[str] | None:
        """Those it answers, where its view says so; HEAD and OPTIONS aside."""
        actions = getattr(self.view, "actions", None)
        view_class = getattr(self.view, "cls", None)
        if actions:
            allowed = {name.upper() for name in getattr(view_class, "http_method_names", ())}
            return {name.upper() for name in actions} & allowed - {"HEAD", "OPTIONS"}
        if view_class is not None:
            return {name.upper() for name in view_class.http_method_names if hasattr(view_class, name)} - {"OPTIONS"}
        return None

    def address(self, **values: Any) -> str:
        """Its path with these arguments."""
        path = _ARGUMENT.sub(lambda found: str(values[found[1] or found[2]]), self.pattern)
        return "/" + re.sub(r"[\^$]", "", path)


def routes() -> list[Route]:
    """All of them, in the URLconf's order."""
    return list(_walk(get_resolver().url_patterns))


def _walk(patterns: Any, namespace: str = "", before: str = "") -> Iterator[Route]:
    for pattern in patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield Route(f"{namespace}:{pattern.name or ''}", path, pattern.callback)
        else:
            yield from _walk(pattern.url_patterns, pattern.namespace or namespace, path)
