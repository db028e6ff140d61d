"""Settings: one file, everything from the environment (see docs/operations.md for the list)."""

from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP
from django.utils.translation import gettext_lazy as _
from environs import Env

from config.administration import UNFOLD as UNFOLD
from config.demo import demo_secrets
from config.mailing import mailers
from config.single_sign_on import provider
from crm.foundation.logs import configure_logging

env = Env()


def _words(name: str) -> list[str]:
    """A comma-separated setting without its empty parts."""
    return [word.strip() for word in env.str(name, "").split(",") if word.strip()]


BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.str("DATA_DIR", "var")).absolute()
DEMO = env.bool("DEMO", False)
PORT = env.int("PORT", 8000)
DEBUG = False

if DEMO:
    _demo = demo_secrets(DATA_DIR)
    SECRET_KEY = env.str("SECRET_KEY", _demo["SECRET_KEY"])
    ENCRYPTION_KEYS = env.list("ENCRYPTION_KEYS", [_demo["ENCRYPTION_KEY"]])
    ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
else:
    SECRET_KEY = env.str("SECRET_KEY", "")
    ENCRYPTION_KEYS = _words("ENCRYPTION_KEYS")
    ALLOWED_HOSTS = _words("ALLOWED_HOSTS")
    _missing = [name for name in ("SECRET_KEY", "ENCRYPTION_KEYS", "ALLOWED_HOSTS") if not globals()[name]]
    if _missing:
        raise ImproperlyConfigured(
            f"Set {', '.join(_missing)} in the environment (docs/operations.md says how), or DEMO=1 to try the product."
        )
    DATA_DIR.mkdir(parents=True, exist_ok=True)

# Secure cookies and HSTS need TLS; a plain-http installation behind no proxy must say so explicitly.
HTTPS = env.bool("HTTPS", not DEMO)
BIND = "127.0.0.1" if DEMO else env.str("BIND", "127.0.0.1")
PUBLIC_URL = f"http://127.0.0.1:{PORT}" if DEMO else env.str("PUBLIC_URL", "").rstrip("/")

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",  # before django.contrib.admin, whose templates it replaces; the site is ours
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "crm.staff.administration.AdministrationConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "channels",
    "crm",
    "catalog",
    "conversations",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "crm.staff.middleware.AdministrationPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "crm.staff.middleware.PreferencesMiddleware",
    "crm.staff.middleware.OriginMiddleware",
    "crm.audit.denials.DenialMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "crm.staff.signin_middleware.SignInMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    ["django.template.loaders.filesystem.Loader", "django.template.loaders.app_directories.Loader"],
                )
            ],
        },
    }
]

# Database: SQLite in DATA_DIR, or PostgreSQL by DATABASE_URL=postgres://…
_sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(DATA_DIR / "db.sqlite3")}
_database = dict(env.dj_db_url("DATABASE_URL")) if env.str("DATABASE_URL", "") else _sqlite
if _database["ENGINE"] == "django.db.backends.sqlite3":
    _database |= {
        "ENGINE": "crm.foundation.sqlite",
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000;",
        },
    }
else:
    _database |= {
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            # A new connection is given up after five seconds and asked for anew: by default the pool would wait twice
            # as long after each failure, and come back long after the database has.
            "pool": {"min_size": 2, "max_size": env.int("DATABASE_POOL", 20), "timeout": 5, "reconnect_timeout": 5},
            "connect_timeout": 2,
            # A host that vanished without a word is noticed in seconds, not in hours.
            "keepalives_idle": 10,
            "keepalives_interval": 3,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
            # The last one: a process that was frozen in a transaction must not hold its locks for the others.
            "options": "-c lock_timeout=5000 -c statement_timeout=30000 -c idle_in_transaction_session_timeout=15000",
        },
    }
    INSTALLED_APPS.append("procrastinate.contrib.django")  # its migrations need PostgreSQL
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Who does the background work: processes of `manage.py work`, "threads" of this process, or nobody.
_on_postgres = _database["ENGINE"] == "django.db.backends.postgresql"
WORK = env.str("WORK", "procrastinate" if _on_postgres and not DEMO else "threads")
if WORK not in ("procrastinate", "threads", "none"):
    raise ImproperlyConfigured(f"WORK={WORK} is none of: procrastinate, threads, none (docs/operations.md).")
if WORK == "procrastinate" and not _on_postgres:
    raise ImproperlyConfigured("WORK=procrastinate needs PostgreSQL: set DATABASE_URL, or WORK=threads for SQLite.")
# At the start of a process: if a message that could have left has waited longer than this, sending is stopped until a
# manager has looked (0: never).
OUTBOX_STALE_HOURS = env.float("OUTBOX_STALE_HOURS", 6.0)
# How long an agent may take back what they have just sent (0: it leaves at once).
UNDO_SEND_SECONDS = max(env.int("UNDO_SEND_SECONDS", 5), 0)
# Whoever waits for an answer longer than this is counted as waiting too long on the managers' overview.
ANSWER_WITHIN_MINUTES = max(env.int("ANSWER_WITHIN_MINUTES", 60), 1)
# How many days the audit log is kept.
AUDIT_KEPT_DAYS = max(env.int("AUDIT_KEPT_DAYS", 730), 1)
# Live hints travel between processes through Redis; one process needs none.
REDIS_URL = env.str("REDIS_URL", "")
CHANNEL_LAYERS = (
    {"default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}}
    if REDIS_URL
    else {}
)
# Counters of who comes how often: shared by the processes, and what each goes on with while Redis is away.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "default"},
    "own_counters": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "counters",
        "OPTIONS": {"MAX_ENTRIES": 50_000},
    },
}
CACHES["counters"] = (
    {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": 0.25, "socket_connect_timeout": 0.25},
    }
    if REDIS_URL
    else CACHES["own_counters"]
)

# WhatsApp. An account with an empty Graph base URL uses this one; a demo uses the simulator in its own process.
GRAPH_BASE_URL = f"{PUBLIC_URL}/simulator/graph" if DEMO else "https://graph.facebook.com"
GRAPH_VERSION = env.str("GRAPH_VERSION", "v24.0")
WEBHOOK_MAX_BYTES = 4 * 1024 * 1024
UPLOAD_MAX_BYTES = 100 * 1024 * 1024

AUTH_USER_MODEL = "crm.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "desk:inbox"
LOGOUT_REDIRECT_URL = "account_login"
PASSWORD_RESET_TIMEOUT = 3600  # the pages and the letter say so

# Signing in (docs/sign-in.md). Who tries how often is counted by crm.staff.lockout, not by allauth.
MANAGERS_NEED_SECOND_FACTOR = env.bool("MANAGERS_NEED_SECOND_FACTOR", not DEMO)
OIDC = provider(
    env.str("OIDC_ISSUER", ""), env.str("OIDC_CLIENT_ID", ""), env.str("OIDC_CLIENT_SECRET", ""),
    name=env.str("OIDC_NAME", "SSO"), trusts_email=env.bool("OIDC_TRUST_EMAIL", False),
)  # fmt: skip
MAILERS = mailers(env.str("EMAIL_URL", "console:"))
DEFAULT_FROM_EMAIL = env.str("MAIL_FROM", "Ventanilla <ventanilla@localhost>")
ACCOUNT_ADAPTER = "crm.staff.signin.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = MFA_RATE_LIMITS = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
MFA_ADAPTER = "crm.staff.secondfactor.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "crm.staff.signin_forms.CodeForm",
    "reauthenticate": "crm.staff.signin_forms.CodeAgainForm",
    "login_webauthn": "crm.staff.signin_forms.PasskeySignInForm",
    "authenticate_webauthn": "crm.staff.signin_forms.PasskeyForm",
    "reauthenticate_webauthn": "crm.staff.signin_forms.PasskeyAgainForm",
    "add_webauthn": "crm.staff.signin_forms.NewPasskeyForm",
}
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = "Ventanilla"
MFA_TOTP_TOLERANCE = 1
SOCIALACCOUNT_ADAPTER = "crm.staff.single_sign_on.SocialAdapter"
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": OIDC["apps"]}} if OIDC else {}

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "session"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 14 * 24 * 3600
CSRF_TRUSTED_ORIGINS = _words("CSRF_TRUSTED_ORIGINS") + ([PUBLIC_URL] if PUBLIC_URL else [])
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_SSL_REDIRECT = env.bool("SSL_REDIRECT", False)
BEHIND_PROXY = env.bool("BEHIND_PROXY", False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# The proxy redirects (SSL_REDIRECT where none does), and the preload list is for the owner of the domain to choose.
# Without a mail server letters are printed, and managers hand links over themselves.
SILENCED_SYSTEM_CHECKS = ["security.W008", "security.W021", "mail.E001"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "blob:", "data:"],
    "media-src": [CSP.SELF, "blob:"],
    "connect-src": [CSP.SELF],
    "object-src": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
}
# Unfold's Alpine evaluates expressions and its templates carry styles: a policy of its own, still without other hosts.
ADMIN_PATH = "/admin/"
ADMIN_CSP = SECURE_CSP | {
    "script-src": [CSP.SELF, CSP.UNSAFE_EVAL, CSP.UNSAFE_INLINE],
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
}

# What the administration's pages are marked with, so that nobody mistakes a trial installation for the real one.
ENVIRONMENT_LABEL = env.str("ENVIRONMENT_LABEL", "")

# What people are written to for only if they have said yes; for anything else, unless they have said no.
CONSENT_NEEDED_FOR = env.list("CONSENT_NEEDED_FOR", ["marketing", "profiling"])
# The languages this business speaks with its customers, the first one first: their opt-out words count, beside English.
BUSINESS_LANGUAGES = env.list("BUSINESS_LANGUAGES", ["es"])

# How many days classes of data are kept where that is not the default ("media=365,messages=730"; 0: for ever).
RETENTION_DAYS: dict[str, int] = env.dict("RETENTION_DAYS", subcast_values=int, default={})
# What the business is called in the copies of people's data.
BUSINESS_NAME = env.str("BUSINESS_NAME", "Ventanilla")

LANGUAGE_CODE = "es"
LANGUAGES = [("es", _("Spanish")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.str("TIME_ZONE", "Europe/Madrid")
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env.str("STATIC_ROOT", str(DATA_DIR / "static"))).absolute()
MEDIA_ROOT = DATA_DIR / "media"
# A demo serves straight from the source folders; a real installation runs collectstatic at deployment.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEMO
STORAGES = {
    "default": {"BACKEND": "crm.foundation.files.WholeFileStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEMO
        else "crm.foundation.staticfiles.ModuleManifestStorage"
    },
}
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["crm.staff.endpoint.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["crm.staff.endpoint.MayUse"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["crm.foundation.parsing.JSONBody"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "crm.foundation.paging.NewestFirstCursor",
    "DEFAULT_SCHEMA_CLASS": "crm.staff.openapi.Schema",
    "EXCEPTION_HANDLER": "crm.foundation.problems.exception_handler",
    "PAGE_SIZE": 50,
}
# Requests a minute; 0: as many as one likes.
API_PER_TOKEN = env.int("API_PER_TOKEN", 600)
API_PER_ADDRESS = env.int("API_PER_ADDRESS", 1200)
SPECTACULAR_SETTINGS = {
    "TITLE": "Ventanilla API",
    "DESCRIPTION": "Contacts, conversations and messages of one business on WhatsApp.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "ConsentPurposeEnum": "crm.consent.models.Purpose",
        "ConsentStateEnum": "crm.consent.models.State",
        "WebhookEventStateEnum": "conversations.ingest.models.WebhookEvent.State",
    },
}

# Who may read /metrics: the bearer of this token; without one, who asks from this machine past no proxy.
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
LOGGING_CONFIG = None
configure_logging(level=env.str("LOG_LEVEL", "INFO"), as_json=env.bool("LOG_JSON", not DEMO))
