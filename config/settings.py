"""All settings; what differs between installations comes from the environment (see docs/configuration.md)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from environs import Env, validate

from apps.audit.sinks import parse_sinks
from apps.core.encryption import parse_master_keys
from apps.core.security_txt import parse_contacts
from apps.tenancy.databases import parse_url
from config.observability import logging_config, start_sentry

AT_LEAST_ONE = validate.Range(min=1)
BASE_DIR = Path(__file__).resolve().parent.parent
env = Env()

# -- Installation ------------------------------------------------------------------------------------------------

ENVIRONMENT = env.str("ENVIRONMENT", "production")
DEVELOPMENT = ENVIRONMENT == "development"
DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY")
MASTER_KEYS = env.str("MASTER_KEYS")
parse_master_keys(MASTER_KEYS)
DATA_KEYS = "apps.tenants.keys.data_keys"
DATA_DIR = Path(env.str("DATA_DIR", str(BASE_DIR / "var")))

BASE_DOMAIN = env.str("BASE_DOMAIN", "localhost")
PUBLIC_SCHEME = env.str("PUBLIC_SCHEME", "http" if DEVELOPMENT else "https")
PUBLIC_PORT = env.str("PUBLIC_PORT", env.str("PORT", "8000") if DEVELOPMENT else "")
ALLOWED_HOSTS = ["*"]  # the tenant middleware answers 404 for every host that is not in the database

# -- Applications ------------------------------------------------------------------------------------------------

SHARED_APPS = [
    "apps.core",
    "apps.tenancy",
    "apps.audit",
    "apps.tenants",
    "apps.fleet",
    "apps.operations",
    "apps.access",
    "apps.accounts",
    "apps.notifications",
    "apps.onboarding",
    "apps.workspace",
    "apps.staff",
    "apps.assurance",
    "django_tenants",
    "unfold.apps.BasicAppConfig",
    "django.contrib.admin",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_cotton",
    "django_htmx",
    "lucide",
    "django_structlog",
    "allauth",
    "allauth.account",
    "rest_framework",
    "drf_standardized_errors",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
TENANT_APPS = ["apps.audit", "apps.access", "apps.projects"]
INSTALLED_APPS = [*SHARED_APPS, *(app for app in TENANT_APPS if app not in SHARED_APPS)]

TENANT_MODEL = "tenants.Tenant"
TENANT_DOMAIN_MODEL = "tenants.Domain"
TENANT_SYNC_ROUTER = "apps.tenancy.router.PlaneRouter"
DATABASE_ROUTERS = [TENANT_SYNC_ROUTER]
ROOT_URLCONF = "config.urls_tenant"
PUBLIC_SCHEMA_URLCONF = "config.urls_control"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MIDDLEWARE = [
    "apps.operations.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "apps.tenants.middleware.TrafficMiddleware",
    "apps.core.middleware.CompressionMiddleware",
    "apps.core.middleware.RequestLogMiddleware",
    "apps.core.middleware.SecurityHeadersMiddleware",
    "apps.core.security_txt.SecurityTxtMiddleware",
    "apps.core.static_files.StaticFilesMiddleware",
    "apps.audit.middleware.OriginMiddleware",
    "apps.tenants.middleware.TenantMiddleware",
    "apps.accounts.reader.ReaderMiddleware",
    "apps.core.middleware.DomainErrorMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.accounts.middleware.SubjectMiddleware",
    "apps.accounts.visiting.VisitMiddleware",
    "apps.access.bodies.BodyMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "apps.core.middleware.HtmxRedirectMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.core.middleware.MethodNotAllowedMiddleware",
]

FOR_BROWSERS = [  # what calls of the API with credentials do not pass: there is neither session nor form
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.accounts.visiting.VisitMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "apps.core.middleware.HtmxRedirectMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["django.templatetags.i18n", "apps.core.templatetags.moments"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.accounts.context_processors.member",
                "apps.workspace.context_processors.surroundings",
            ],
        },
    }
]

# -- Databases ---------------------------------------------------------------------------------------------------

DATABASE_URL = env.str("DATABASE_URL")
DATABASE_DIRECT_URL = env.str("DATABASE_DIRECT_URL", DATABASE_URL)  # past PgBouncer, for LISTEN
DATABASE_OWNER_URL = env.str("DATABASE_OWNER_URL", "")
DATABASE_OPERATOR_URL = env.str("DATABASE_OPERATOR_URL", "")
DATABASE_OPERATOR_ROLE = parse_url(DATABASE_OPERATOR_URL)["USER"] or env.str(
    "DATABASE_OPERATOR_ROLE", "tenantry_operator"
)
_pool_size = env.int("DATABASE_POOL_SIZE", 0)  # for threaded servers; never in forking workers
TENANT_DATABASE_CONN_MAX_AGE = 60
DATABASE_CONNECT_TIMEOUT = 5
_default = parse_url(DATABASE_URL)
DATABASES = {
    "default": {
        "ENGINE": "apps.tenancy.postgresql",
        **_default,
        "CONN_MAX_AGE": 0 if _pool_size else 60,
        "CONN_HEALTH_CHECKS": True,  # after a restart of the server only connections in use fail
        "DISABLE_SERVER_SIDE_CURSORS": True,  # named cursors carry no context and break transaction pooling
        "OPTIONS": {
            "connect_timeout": DATABASE_CONNECT_TIMEOUT,
            **_default["OPTIONS"],
            **({"pool": {"min_size": 1, "max_size": _pool_size, "timeout": 10}} if _pool_size else {}),
        },
    }
}
DATABASE_REPLICA_URL = env.str("DATABASE_REPLICA_URL", "")
DATABASE_REPLICA_MAX_LAG = env.float("DATABASE_REPLICA_MAX_LAG", 10.0)
REPLICA_CONNECT_TIMEOUT = 2  # seconds; libpq takes no less
if DATABASE_REPLICA_URL:
    _replica = parse_url(DATABASE_REPLICA_URL)
    _replica["OPTIONS"] = {
        **DATABASES["default"]["OPTIONS"],
        "connect_timeout": REPLICA_CONNECT_TIMEOUT,
        **_replica["OPTIONS"],
        **({"pool": {"min_size": 0, "max_size": _pool_size, "timeout": REPLICA_CONNECT_TIMEOUT}} if _pool_size else {}),
    }
    DATABASES["default:replica"] = {**DATABASES["default"], **_replica}
DEFAULT_PLACEMENT = env.str("DEFAULT_PLACEMENT", "schema")
WARM_SCHEMAS = env.int("WARM_SCHEMAS", 8)
WARM_POOL_PLACES = env.int("WARM_POOL_PLACES", 50)
POOL_CAPACITY = env.int("POOL_CAPACITY", 500)
SCHEMA_LIMIT = env.int("SCHEMA_LIMIT", 10_000)  # of organizations with one each; what was measured
POOL_LIMIT = env.int("POOL_LIMIT", 1000)

# -- Cache, sessions, tasks --------------------------------------------------------------------------------------

REDIS_URL = env.str("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "apps.tenancy.walls.cache.TenantCache",
        "LOCATION": env.str("CACHE_URL", REDIS_URL),
        "KEY_PREFIX": "tenantry",
        "KEY_FUNCTION": "apps.tenancy.walls.cache.make_key",
        "TIMEOUT": 300,
        "OPTIONS": {
            "REVERSE_KEY_FUNCTION": "apps.tenancy.walls.cache.reverse_key",
            "SOCKET_CONNECT_TIMEOUT": 0.2,
            "SOCKET_TIMEOUT": 0.2,
        },
    }
}
REDIS_POOL_SIZE = env.int("REDIS_POOL_SIZE", 20)
ORGANIZATIONS_KEPT = env.int("ORGANIZATIONS_KEPT", 10_000, validate=AT_LEAST_ONE)  # in each process, at 3 to 4 KB
TRAFFIC_FLUSH_SECONDS = env.float("TRAFFIC_FLUSH_SECONDS", 1.0)  # 0: the figures stay where they are noted
CSRF_FAILURE_VIEW = "apps.core.problems.csrf_failure"
SESSION_ENGINE = "apps.accounts.sessions"
SESSION_COOKIE_AGE = 14 * 24 * 3600

CELERY_BROKER_URL = env.str("BROKER_URL", REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "apps.tenants.tasks.tell_of_changed_tenants": {"queue": "default"},
    "apps.tenants.tasks.replenish_after_claim": {"queue": "default"},
    "apps.tenants.tasks.*": {"queue": "provisioning"},
    "apps.fleet.tasks.*": {"queue": "provisioning"},
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_DB_REUSE_MAX = 2**63  # Celery would end them around each task; see ``keep_connection`` in config/celery.py
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": env.int("BROKER_VISIBILITY_SECONDS", 600),  # longer than any task may run
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
}
OUTBOX_LEASE_SECONDS = env.int("OUTBOX_LEASE_SECONDS", 900)  # for an event's tasks; then they are sent again
CELERY_BEAT_SCHEDULER = "config.beat:RebuildingScheduler"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    "resume-provisioning": {"task": "apps.tenants.tasks.resume_provisioning", "schedule": 60.0},
    "seal-audit-logs": {"task": "apps.operations.tasks.seal_audit_logs", "schedule": 60.0},
    "clear-expired": {"task": "apps.accounts.tasks.clear_expired", "schedule": 3600.0},
    "collect-stray-files": {"task": "apps.operations.tasks.collect_stray_files", "schedule": 3600.0},
    "clear-old-mail-notes": {"task": "apps.notifications.tasks.clear_old_notes", "schedule": 24 * 3600.0},
}

# -- People ------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["apps.accounts.backends.MemberBackend", "apps.accounts.backends.StaffBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
    "django.contrib.auth.hashers.BCryptPasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 15}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_FORMS = {"login": "apps.accounts.forms.entry.SignInForm"}
ACCOUNT_ADAPTER = "apps.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = False  # ours count by network and account, and hold while the counter is away
HANDOFF_SECONDS = 60
CLOCK_LEEWAY_SECONDS = 30  # how far the clocks of our machines may be apart: see apps/core/clocks.py
PASSWORD_RESET_TIMEOUT = 3 * 24 * 3600 + CLOCK_LEEWAY_SECONDS
INVITATION_DAYS = 7
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", 0)

# -- Staff ------------------------------------------------------------------------------------------------------

STAFF_SESSION_SECONDS = 12 * 3600
UNFOLD = {
    "SITE_TITLE": "Tenantry",
    "SITE_HEADER": "Tenantry",
    "SITE_SUBHEADER": "Staff",
    "SITE_SYMBOL": "corporate_fare",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "/static/images/staff.svg"}],
    "STYLES": ["/static/css/staff.css"],
    "SITE_URL": None,
    "BORDER_RADIUS": "8px",
    "ACCOUNT": {"navigation": [{"title": "Front page", "link": "/"}]},
    "SIDEBAR": {"show_search": True, "navigation": "apps.staff.navigation.sidebar"},
    "COLORS": {
        "primary": {
            "50": "oklch(96.2% .018 272.314)",
            "100": "oklch(93% .034 272.788)",
            "200": "oklch(87% .065 274.039)",
            "300": "oklch(78.5% .115 274.713)",
            "400": "oklch(67.3% .182 276.935)",
            "500": "oklch(58.5% .233 277.117)",
            "600": "oklch(51.1% .262 276.966)",
            "700": "oklch(45.7% .24 277.023)",
            "800": "oklch(39.8% .195 277.366)",
            "900": "oklch(35.9% .144 278.697)",
            "950": "oklch(25.7% .09 281.288)",
        }
    },
}

# -- Tokens and limits -------------------------------------------------------------------------------------------

TOKEN_ISSUER = env.str("TOKEN_ISSUER", f"{PUBLIC_SCHEME}://{BASE_DOMAIN}")
TOKEN_AUDIENCE = env.str("TOKEN_AUDIENCE", "tenantry-api")
ACCESS_TOKEN_SECONDS = 15 * 60
REFRESH_TOKEN_SECONDS = 14 * 24 * 3600
TOKEN_FAMILY_SECONDS = 90 * 24 * 3600
SIGNING_KEY_NOTICE_SECONDS = 10 * 60  # longer than anybody may keep the key set
WEB_THREADS = env.int("WEB_THREADS", 4, validate=AT_LEAST_ONE)  # that run Django, in each process
TENANT_CONCURRENCY = env.int("TENANT_CONCURRENCY", WEB_THREADS // 2)  # of them at once; 0: no limit
TENANT_WAITING = env.int("TENANT_WAITING", max(WEB_THREADS // 2 - 1, 0))  # one thread is left for others even so
REQUESTS_PER_MINUTE_ADDRESS = env.int("REQUESTS_PER_MINUTE_ADDRESS", 100)
REQUESTS_PER_MINUTE_USER = env.int("REQUESTS_PER_MINUTE_USER", 1000)
# By action: how many in so many seconds, of what is counted (see apps/access/services/attempts.py), and as what else.
ATTEMPT_LIMITS: dict[str, dict[str, Any]] = {
    "sign-in": {"network": 30, "pair": 10, "account": 50, "device": 10, "seconds": 300},
    "sign-up": {"network": 20, "pair": 5, "device": 5, "seconds": 300, "also": "sign-in"},  # tells passwords apart, too
    "reset": {"network": 20, "pair": 5, "account": 10, "device": 5, "seconds": 3600},
    "lookup": {"network": 20, "pair": 5, "account": 10, "device": 5, "seconds": 3600},
    "verification": {"account": 5, "seconds": 3600},
    "invitation": {"account": 100, "seconds": 3600},  # of an organization
    "recipient": {"account": 10, "seconds": 3600},  # of an address that invitations are mailed to, whoever sends them
    "password": {"account": 10, "seconds": 300},  # of somebody signed in who changes theirs
    "acceptance": {"network": 300, "account": 20, "seconds": 3600},  # of an invitation's link
}

# -- API ---------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.access.api_guards.TokenAuthentication",
        "apps.access.api_guards.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["apps.access.api_guards.DeclaredPermission"],
    "DEFAULT_RENDERER_CLASSES": ["apps.core.rendering.FastJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.core.parsers.BoundedJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "apps.core.negotiation.Negotiation",
    "DEFAULT_PAGINATION_CLASS": "apps.core.pagination.CursorPages",
    "DEFAULT_SCHEMA_CLASS": "apps.access.openapi.ApiSchema",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,  # ?format= belongs to the views
    "PAGE_SIZE": 20,
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
}
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_HANDLER_CLASS": "apps.core.problems.ProblemHandler",
    "EXCEPTION_FORMATTER_CLASS": "apps.core.problems.ProblemFormatter",
    "ENABLE_IN_DEBUG_FOR_UNHANDLED_EXCEPTIONS": True,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Tenantry API",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_URLCONF": "config.urls_control",
    "SERVE_PERMISSIONS": ["apps.access.api_guards.DeclaredPermission"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.access.openapi.add_problem",
        "apps.access.openapi.allow_blank",
        "apps.access.openapi.close_requests",
    ],
    "ENUM_NAME_OVERRIDES": {"RelationEnum": "apps.access.permissions.Relation"},
}

# -- Files and mail ----------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
BUILT_ASSETS = DATA_DIR / "assets"  # what `manage.py build_css` makes
STATICFILES_DIRS = [BUILT_ASSETS, BASE_DIR / "static"]
SILENCED_SYSTEM_CHECKS = ["staticfiles.W004"]  # they are not made yet when the system is checked first
WHITENOISE_MAX_AGE = 3600  # of what has no digest in its name
MEDIA_ROOT = str(DATA_DIR / "media")
STORAGES = {
    "default": {"BACKEND": "apps.tenancy.walls.storage.TenantStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DOCUMENT_MAX_BYTES = env.int("DOCUMENT_MAX_BYTES", 50 * 1024 * 1024)
DOCUMENT_LINK_SECONDS = 300

EMAIL_FILE_PATH = str(DATA_DIR / "mail")
EMAIL_TIMEOUT = 10  # seconds, for each step of the talk with a mail server
if DEVELOPMENT:
    EMAIL_BACKEND = "apps.notifications.filebox.EmailBackend"
else:
    _email = env.dj_email_url("EMAIL_URL", "smtp://localhost:25")
    EMAIL_BACKEND, EMAIL_HOST, EMAIL_PORT = _email["EMAIL_BACKEND"], _email["EMAIL_HOST"], _email["EMAIL_PORT"]
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _email["EMAIL_HOST_USER"], _email["EMAIL_HOST_PASSWORD"]
    EMAIL_USE_TLS, EMAIL_USE_SSL = _email["EMAIL_USE_TLS"], _email["EMAIL_USE_SSL"]
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", f"Tenantry <hello@{BASE_DOMAIN}>")

# -- Transport ---------------------------------------------------------------------------------------------------

_secure = PUBLIC_SCHEME == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _secure
_host = "__Host-" if _secure else ""  # which no other host can set
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME, DEVICE_COOKIE_NAME = f"{_host}sessionid", f"{_host}csrftoken", f"{_host}device"
SECURITY_CONTACT = parse_contacts(env.list("SECURITY_CONTACT", []))
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", False)
SECURE_HSTS_SECONDS = 31_536_000 if _secure else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _secure
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_TLS_PROXY", False) else None

# -- Language, time, observability -------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [DATA_DIR / "locale"]  # what `manage.py build_messages` makes of locale/
FORMAT_MODULE_PATH = ["config.formats"]
TIME_ZONE = "UTC"  # of whoever has chosen none

LOGGING = logging_config(level=env.str("LOG_LEVEL", "INFO"))
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG  # a request is a line, written when it is answered
DJANGO_STRUCTLOG_USER_ID_FIELD = None
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False  # the origin middleware names the address
AUDIT_SINKS: list[str] = env.list("AUDIT_SINKS", [])
parse_sinks(AUDIT_SINKS)
start_sentry(env.str("SENTRY_DSN", ""), environment=ENVIRONMENT)

env.seal()
