"""What must not stand in the repository is found by scripts/check_security.py, and does not stand there."""

import os
import subprocess
from pathlib import Path

import pytest

from scripts import check_security

ROOT = Path(__file__).resolve().parents[2]

PLANTED = {
    "page.html": ["{{ contact.name|safe }}", "{{ x | safe }}", "{% autoescape off %}"],
    "page.py": [
        "x = mark_safe(name)", "x = format_html(f'<b>{name}</b>')", "x = format_html('<b>' + name)",
        "x = format_html('{}'.format(name))", "@csrf_exempt\ndef view(): ...", "eval(text)", "pickle.loads(raw)",
        "ok = given == self.secret", "ok = token != given", "ok = mac.hexdigest() == given",
        "async with aiohttp.ClientSession() as session: ...", "urlopen(address)",
    ],
    "page.js": [
        "node.insertAdjacentHTML('x', text)", "eval(text)", "list.innerHTML = text",
        'window.addEventListener("message", f)',
    ],
}  # fmt: skip
FINE = (
    "x = format_html('<b>{}</b>', name)\n" "ok = hmac.compare_digest(given, secret)\n" "kind = tokens == []\n"
    "ClientSession(timeout=t)\n" "urlopen(address, timeout=2)\n"
)  # fmt: skip


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.covers("A08", "U11", "W09", "S09")
def test_nothing_of_it_stands_in_the_repository():
    paths = check_security.tracked()
    assert len(paths) > 500
    assert check_security.findings(paths) == []


def test_what_is_allowed_is_still_there():
    found = {(rule, name) for _rule, name in check_security.ALLOWED for rule, _line in rules_of(ROOT, name)}
    assert found == set(check_security.ALLOWED)


def rules_of(folder, name):
    return list(check_security.broken_rules(name, (folder / name).read_text()))


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, lines in PLANTED.items() for line in lines])
def test_each_kind_is_found(name, line):
    assert len(list(check_security.broken_rules(name, line))) == 1


def test_what_is_right_is_not_complained_of():
    assert list(check_security.broken_rules("page.py", FINE)) == []


def test_secrets_are_found_by_their_shape():
    key = os.urandom(32).hex()
    for secret in (f"EAAG{key}{key}", f"vt_{key[:40]}", f"{key[:43]}=", "-----BEGIN " + "PRIVATE KEY-----"):
        assert len(check_security.secrets_in(f'token = "{secret}"\n')) == 1, secret
    assert check_security.secrets_in("a sha256 " + key + " and ordinary words") == []


@pytest.mark.covers("U11")
def test_git_ignores_what_an_installation_keeps():
    for name in (".env", "var/db.sqlite3", "var/media/x", "var/demo.json"):
        done = subprocess.run(["git", "check-ignore", "--quiet", name], check=False)
        assert done.returncode == 0, name


@pytest.mark.covers("U11")
def test_the_image_is_made_of_named_folders_only():
    lines = (ROOT / ".dockerignore").read_text().split()
    assert lines[0] == "**"
    assert set(lines[1:]) <= {
        "!requirements.lock", "!manage.py", "!catalog", "!config", "!conversations", "!crm", "!locale", "!simulator",
        "!static", "!templates", "**/__pycache__",
    }  # fmt: skip
    assert not [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith(("ADD", "COPY . "))]
