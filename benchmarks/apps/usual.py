"""Peers: the usual ways of taking a webhook with Django, in a sync view under WSGI with threads.

`/insert/`: one INSERT of the raw body. `/rows/`: check the signature, parse, get_or_create, save, all in the view. The
middleware is what `startproject` gives, without CSRF for the webhook. `DATABASE_URL` names a PostgreSQL database.
"""

import datetime as dt
import hashlib
import hmac
import json
import os
from urllib.parse import urlsplit

import django
from django.conf import settings

address = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    SECRET_KEY="only-for-the-benchmark",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": address.path[1:],
            "USER": address.username,
            "HOST": address.hostname,
            "PORT": address.port,
            "CONN_MAX_AGE": 600,
        }
    },
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402 (after the settings)
from django.db import connection, models, transaction  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402

SECRET = os.environ["APP_SECRET"].encode()


class RawEvent(models.Model):
    """What /insert/ stores."""

    body = models.BinaryField()
    received_at = models.DateTimeField()

    class Meta:
        app_label = "usual"


class Person(models.Model):
    """Who wrote."""

    phone = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=200)
    last_seen_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "usual"


class ChatMessage(models.Model):
    """What they wrote."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE)
    wamid = models.CharField(max_length=256, unique=True)
    text = models.TextField()
    sent_at = models.DateTimeField()

    class Meta:
        app_label = "usual"


MODELS = (RawEvent, Person, ChatMessage)


def make_tables() -> None:
    """Create the three tables."""
    with connection.schema_editor() as editor:
        for model in MODELS:
            editor.create_model(model)


def _is_signed(request: HttpRequest) -> bool:
    wanted = "sha256=" + hmac.new(SECRET, request.body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, request.headers.get("X-Hub-Signature-256", ""))


@csrf_exempt
def insert(request: HttpRequest) -> HttpResponse:
    """One INSERT per request, committed before the answer."""
    if not _is_signed(request):
        return HttpResponse(status=401)
    RawEvent.objects.create(body=request.body, received_at=dt.datetime.now(dt.UTC))
    return HttpResponse("ok")


@csrf_exempt
def rows(request: HttpRequest) -> HttpResponse:
    """Contact and message written in the view."""
    if not _is_signed(request):
        return HttpResponse(status=401)
    with transaction.atomic():
        for entry in json.loads(request.body)["entry"]:
            for change in entry["changes"]:
                names = {one["wa_id"]: one["profile"]["name"] for one in change["value"].get("contacts", [])}
                for message in change["value"].get("messages", []):
                    _store(message, names)
    return HttpResponse("ok")


def _store(message: dict, names: dict) -> None:
    sent_at = dt.datetime.fromtimestamp(int(message["timestamp"]), dt.UTC)
    person, _made = Person.objects.get_or_create(
        phone=message["from"], defaults={"name": names.get(message["from"], "")}
    )
    ChatMessage.objects.get_or_create(
        wamid=message["id"], defaults={"person": person, "text": message["text"]["body"], "sent_at": sent_at}
    )
    person.last_seen_at = sent_at
    person.save()


def alive(request: HttpRequest) -> HttpResponse:
    """For the harness."""
    return HttpResponse("ok")


urlpatterns = [path("insert/", insert), path("rows/", rows), path("healthz/", alive)]
application = get_wsgi_application()
