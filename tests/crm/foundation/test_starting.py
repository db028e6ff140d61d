"""How an installation starts: what it refuses, in one sentence; where it listens; what its static files are called."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command

from crm.foundation.staticfiles import ModuleManifestStorage

ROOT = Path(__file__).resolve().parents[3]
COMPLETE = {
    "SECRET_KEY": "secret",
    "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "ALLOWED_HOSTS": "crm.example.test",
}


def run(*arguments, data, **env):
    """Run Python as an installation would, with nothing but these settings."""
    clean = {"PATH": os.environ["PATH"], "DATA_DIR": str(data), "DJANGO_SETTINGS_MODULE": "config.settings"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=clean | env, capture_output=True, text=True, timeout=60, check=False
    )


def setting(name, data, **env):
    """A setting as an installation with this environment sees it."""
    done = run("-c", f"from django.conf import settings; print(settings.{name})", data=data, **env)
    return done.stdout.strip(), done.stderr


@pytest.mark.covers("A11")
@pytest.mark.parametrize("missing", sorted(COMPLETE))
@pytest.mark.parametrize("how", ["absent", "empty", "blank"])
def test_without_its_secrets_an_installation_does_not_start(tmp_path, missing, how):
    env = {key: value for key, value in COMPLETE.items() if key != missing}
    if how != "absent":
        env[missing] = "" if how == "empty" else " , "
    if how == "blank" and missing == "SECRET_KEY":
        env[missing] = ""
    done = run("manage.py", "check", data=tmp_path, **env)
    assert done.returncode != 0
    assert f"Set {missing} in the environment" in done.stderr


def test_with_them_it_starts_and_listens_on_loopback_unless_told(tmp_path):
    assert setting("BIND", tmp_path, **COMPLETE)[0] == "127.0.0.1"
    assert setting("BIND", tmp_path, BIND="0.0.0.0", **COMPLETE)[0] == "0.0.0.0"
    assert setting("SESSION_COOKIE_SECURE", tmp_path, **COMPLETE)[0] == "True"


def test_a_demo_needs_no_secrets_keeps_its_own_and_listens_on_loopback_only(tmp_path):
    first = setting("SECRET_KEY", tmp_path, DEMO="1")[0]
    assert len(first) > 40
    assert setting("SECRET_KEY", tmp_path, DEMO="1")[0] == first
    assert setting("BIND", tmp_path, DEMO="1", BIND="0.0.0.0")[0] == "127.0.0.1"
    hosts = setting("ALLOWED_HOSTS", tmp_path, DEMO="1", ALLOWED_HOSTS="evil.test")[0]
    assert "evil" not in hosts
    assert (tmp_path / "demo-secrets.json").stat().st_mode & 0o777 == 0o600


def test_a_taken_port_is_one_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run("-m", "config.serve", data=tmp_path, DEMO="1", PORT=port)
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()
    assert line.startswith(f"Port {port} on 127.0.0.1 cannot be used (Address already in use).")
    assert "Traceback" not in done.stderr


def test_hashed_names_reach_into_module_imports(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "crm.foundation.staticfiles.ModuleManifestStorage"}
    }
    call_command("collectstatic", interactive=False, verbosity=0)
    storage = ModuleManifestStorage(location=tmp_path)
    app = (tmp_path / storage.stored_name("inbox/app.js")).read_text()
    names = [line.split('"')[1] for line in app.splitlines() if line.startswith("import ")]
    assert len(names) > 3
    for name in names:
        assert name.count(".") >= 2, f"{name} carries no hash"
        assert (tmp_path / "inbox" / name).exists()
