"""An installation as it is put on the internet: its settings, its cookies, and what it tells strangers of itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

ROOT = Path(__file__).resolve().parents[2]
HOST = "crm.example.test"
# What a stranger finds at these addresses, and at one where the server breaks.
LOOK = """
import json, logging
import django
from django.conf import settings
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"  # none collected
django.setup()
logging.disable(logging.CRITICAL)
from django.test import Client

def asked(path, host="crm.example.test", **headers):
    client = Client(raise_request_exception=False, headers={"host": host, **headers})
    answer = client.get(path, secure=True)
    cookies = {name: {key: bool(one[key]) and one[key] for key in ("secure", "httponly", "samesite", "path", "domain")}
               for name, one in answer.cookies.items()}
    return {"status": answer.status_code, "body": b"".join(answer).decode(), "headers": dict(answer.items()),
            "cookies": cookies}

found = {path: asked(path) for path in PATHS}
found["other host"] = asked("/accounts/login/", host="evil.test")
found["forwarded host"] = asked("/accounts/login/", **{"x-forwarded-host": "evil.test"})
print(json.dumps({"answers": found, "settings": {name: getattr(settings, name) for name in NAMES}}))
"""
HIDDEN = (
    "/.git/config", "/.git/HEAD", "/.env", "/static/", "/static/inbox/", "/static/../config/settings.py",
    "/static/%2e%2e/manage.py", "/media/", "/media/x.jpg", "/admin/doc/", "/__debug__/", "/debug/", "/server-status",
    "/phpinfo.php", "/simulator/", "/var/db.sqlite3", "/requirements.lock", "/nothing-here/",
)  # fmt: skip
NAMES = (
    "DEBUG", "SESSION_COOKIE_NAME", "SESSION_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "SESSION_COOKIE_SAMESITE",
    "SESSION_COOKIE_DOMAIN", "SESSION_COOKIE_PATH", "CSRF_COOKIE_NAME", "CSRF_COOKIE_SECURE", "CSRF_COOKIE_HTTPONLY",
    "CSRF_COOKIE_SAMESITE", "CSRF_COOKIE_DOMAIN", "SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS",
    "USE_X_FORWARDED_HOST", "SECURE_PROXY_SSL_HEADER", "INSTALLED_APPS", "X_FRAME_OPTIONS",
)  # fmt: skip


def run(*arguments, data):
    """Run Python as a new installation would: nothing but the settings it must have."""
    env = {
        "PATH": os.environ["PATH"], "DATA_DIR": str(data), "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": "k7" * 30 + "-only-here-QX", "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "ALLOWED_HOSTS": HOST, "PUBLIC_URL": f"https://{HOST}",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """What a stranger sees, and the settings; its database is empty, for strangers need none."""
    data = tmp_path_factory.mktemp("installation")
    (data / "static" / "inbox").mkdir(parents=True)
    (data / "static" / "inbox" / "app.js").write_text("let x;")
    paths = ("/accounts/login/", *HIDDEN)
    return json.loads(run("-c", LOOK.replace("PATHS", repr(paths)).replace("NAMES", repr(NAMES)), data=data))


@pytest.mark.covers("A11")
def test_djangos_own_check_of_deployments_finds_nothing(tmp_path):
    said = run("manage.py", "check", "--deploy", "--fail-level", "INFO", data=tmp_path)
    assert "no issues" in said


@pytest.mark.covers("A11")
def test_nothing_but_the_product_is_served(installation):
    assert installation["settings"]["DEBUG"] is False
    assert not {"django.contrib.admindocs", "debug_toolbar"} & set(installation["settings"]["INSTALLED_APPS"])
    for path in HIDDEN:
        answer = installation["answers"][path]
        assert answer["status"] in (301, 302, 404), (path, answer["status"])
        for telling in ("Traceback", "DJANGO_SETTINGS", "urlpatterns", "[core]", "app.js", "Index of"):
            assert telling not in answer["body"], (path, telling)


@pytest.mark.covers("U07")
def test_cookies_are_for_this_host_by_https_and_not_for_scripts(installation):
    known = installation["settings"]
    for kind in ("SESSION", "CSRF"):
        assert known[f"{kind}_COOKIE_NAME"].startswith("__Host-")
        assert known[f"{kind}_COOKIE_SECURE"] is True
        assert known[f"{kind}_COOKIE_HTTPONLY"] is True
        assert known[f"{kind}_COOKIE_SAMESITE"] == "Lax"
        assert known[f"{kind}_COOKIE_DOMAIN"] is None
    page = installation["answers"]["/accounts/login/"]
    assert page["status"] == 200
    assert page["cookies"], "the form sets its token"
    for name, cookie in page["cookies"].items():
        assert name.startswith("__Host-")
        assert (cookie["secure"], cookie["httponly"], cookie["path"], cookie["domain"]) == (True, True, "/", False)
    seconds = page["headers"]["Strict-Transport-Security"]
    assert "max-age=31536000" in seconds
    assert "includeSubDomains" in seconds


@pytest.mark.covers("W18")
def test_a_host_that_is_not_ours_is_refused(installation):
    answer = installation["answers"]["other host"]
    assert answer["status"] == 400
    assert HOST not in answer["body"]
    assert installation["settings"]["USE_X_FORWARDED_HOST"] is False
    assert installation["settings"]["SECURE_PROXY_SSL_HEADER"] is None
    assert installation["answers"]["forwarded host"]["status"] == 200
    assert "evil.test" not in installation["answers"]["forwarded host"]["body"]


@pytest.mark.covers("I09", "I10")
def test_the_sign_in_page_is_strict(installation):
    headers = installation["answers"]["/accounts/login/"]["headers"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
