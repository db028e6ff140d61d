"""Looks for what must not stand in the source: data marked safe, secrets, comparisons that tell time, code from data.

Ruff, mypy and the tests find most of what goes wrong; these are rules that only this product has (docs/security.md).
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

PRODUCT = ("config", "conversations", "catalog", "crm")

# Whole lines of the product's Python, templates and scripts. What is allowed stands beside its reason in ALLOWED.
LINES = {
    "data marked safe": (r"\bmark_safe\(|\bSafeString\(|\|\s*safe(seq)?\b|\{%\s*autoescape\s+off", (".py", ".html")),
    "CSRF switched off": (r"\bcsrf_exempt\b", (".py",)),
    "code made of data": (r"(?<![\w.])(eval|exec)\(|\bpickle\b|\byaml\.(unsafe_)?load\(|shell=True", (".py",)),
    "a script made of text": (r"\beval\(|new Function\(|document\.write|outerHTML\s*=|insertAdjacentHTML", (".js",)),
    "HTML put in place": (r"\binnerHTML\s*=", (".js",)),
    "messages of foreign windows": (r"\b(window|globalThis|self)\.(addEventListener\(\"message\"|onmessage)", (".js",)),
    "an outgoing call without a timeout": (r"\bClientSession\(\)|\burlopen\([^,()]*\)", (".py",)),
}
ALLOWED = {
    ("data marked safe", "conversations/desk/formatting.py"): "escapes first; a property test holds it",
    ("HTML put in place", "static/inbox/ui.js"): "our own server's fragments, in a template element",
    ("HTML put in place", "static/inbox/search.js"): "our own server's fragment",
    ("HTML put in place", "static/admin/segments.js"): "our own server's fragments",
    (
        "compared in plain time",
        "conversations/inboxes/rotation.py",
    ): "a manager enters the secret that is there already",
    ("compared in plain time", "conversations/messaging/media.py"): "a file's checksum, which is no secret",
}
# Secrets by the shapes their issuers give them, in every file of the repository.
SECRETS = re.compile(
    r"EAA[A-Za-z0-9]{60,}|AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY|gh[pousr]_[A-Za-z0-9]{36}|xox[abprs]-\w{10}"
    r"|[sr]k_live_\w{10}|vt_[A-Za-z0-9_-]{40}|AIza[\w-]{35}|eyJ[\w-]{20,}\.eyJ[\w-]{20,}"
    r"|(?<![\w/+-])[A-Za-z0-9_-]{43}=(?![\w=])"
)
SAMPLES = (
    "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=",  # the example of cryptography's manual
    "A" * 43 + "=",
    "kf3Qm8T9b0yG7rWc1uXe5vZa2hJd4lNs6oPi0qRtUwY=",  # a checksum in recorded webhooks
)
_SECRET_NAME = re.compile(r"(^|_)(secret|token|signature|password|digest)$")


def tracked(*patterns: str) -> list[Path]:
    """The repository's files that git tracks or would track."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns]
    listing = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return sorted(path for name in listing.split("\0") if (path := Path(name)).is_file())


def secrets_in(text: str) -> list[str]:
    """How each secret begins that a text holds."""
    return [found[0][:8] for found in SECRETS.finditer(text) if found[0] not in SAMPLES]


def broken_rules(name: str, text: str) -> Iterator[tuple[str, int]]:
    """Which rule a file of the product breaks, in which line."""
    for rule, (pattern, kinds) in LINES.items():
        if name.endswith(kinds):
            yield from ((rule, number) for number, line in enumerate(text.splitlines(), 1) if re.search(pattern, line))
    if name.endswith(".py"):
        for node in ast.walk(ast.parse(text, filename=name)):
            if isinstance(node, ast.Compare) and _tells_time(node):
                yield "compared in plain time", node.lineno
            if isinstance(node, ast.Call) and _builds_html(node):
                yield "data marked safe", node.lineno


def _tells_time(node: ast.Compare) -> bool:
    """Whether a secret is compared by `==`, which takes the longer the more is right."""
    is_equality = any(isinstance(how, ast.Eq | ast.NotEq) for how in node.ops)
    return is_equality and any(_is_secret(side) for side in (node.left, *node.comparators))


def _is_secret(side: ast.expr) -> bool:
    if isinstance(side, ast.Call):
        return isinstance(side.func, ast.Attribute) and side.func.attr in ("digest", "hexdigest")
    name = side.attr if isinstance(side, ast.Attribute) else side.id if isinstance(side, ast.Name) else ""
    return bool(_SECRET_NAME.search(name))


def _builds_html(node: ast.Call) -> bool:
    """Whether the first argument of `format_html`, which is not escaped, is put together from others."""
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    first = node.args[0] if node.args else None
    return name == "format_html" and isinstance(first, ast.JoinedStr | ast.BinOp | ast.Call)


def findings(paths: Iterable[Path]) -> list[str]:
    """What is wrong in these files, a line for each."""
    found = []
    for path in paths:
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{path}: a secret ({start}…)" for start in secrets_in(text)]
        is_product = path.parts[0] in (*PRODUCT, "templates", "static") and "vendor" not in path.parts
        for rule, line in broken_rules(str(path), text) if is_product else ():
            if (rule, str(path)) not in ALLOWED:
                found.append(f"{path}:{line}: {rule}")
    return found


def main() -> int:
    """Print what is wrong; the exit code is 1 if anything is."""
    paths = tracked()
    found = findings(paths)
    print(f"{len(paths)} files searched, {len(found)} findings")
    print("\n".join(found), file=sys.stderr, end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
