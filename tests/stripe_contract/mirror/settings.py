"""Settings of the mirror: SQLite, the sandbox's address and key from the environment."""

import os

SECRET_KEY = "mirror"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "djstripe"]
ROOT_URLCONF = "tests.stripe_contract.mirror.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["MIRROR_DATABASE"],
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 30, "init_command": "PRAGMA journal_mode=WAL"},
    }
}
MIGRATION_MODULES = dict.fromkeys(
    ("djstripe", "auth", "contenttypes")
)  # tables straight from the models: seconds saved
STRIPE_API_HOST = os.environ["SANDBOX_URL"]
STRIPE_TEST_SECRET_KEY = "sk_test_mirrormirrormirrormirrormirror"
STRIPE_LIVE_MODE = False
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
LOGGING = {"version": 1, "disable_existing_loggers": True}
