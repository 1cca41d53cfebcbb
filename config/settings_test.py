"""Settings of the test suite: real servers of its own, started when the settings are loaded.

Each process of a parallel run has its own servers. The first one, gw0, is given those of the process that
started the run.
"""

import atexit
import os
import sys
from pathlib import Path

from deploy.local import start_servers, stop_servers
from deploy.local.system import open_lock, try_lock
from tests.support.pooler import Pooler, through

_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
_DATA_DIR = Path(__file__).resolve().parent.parent / "var" / "test" / _WORKER

if os.environ.get("TENANTRY_TEST_SERVERS") != _WORKER:  # child processes of a test find them running
    for _name in [name for name in os.environ if name.startswith("DATABASE_") or name == "REDIS_URL"]:
        del os.environ[_name]
    _DATA_DIR.parent.mkdir(parents=True, exist_ok=True)
    if not try_lock(open_lock(_DATA_DIR.with_suffix(".lock"))):  # whoever ended first would stop the other's servers
        sys.exit("error: another test run of this checkout is not over: wait for it, or use a clone")
    os.environ.update(start_servers(_DATA_DIR, durable=False))
    os.environ["TENANTRY_TEST_SERVERS"] = _WORKER
    atexit.register(stop_servers, _DATA_DIR)
    if os.environ.get("TEST_POOLER"):  # the application's own way leads through PgBouncer then
        _pooler = Pooler(os.environ["DATABASE_URL"])
        atexit.register(_pooler.stop)
        os.environ["DATABASE_DIRECT_URL"] = os.environ["DATABASE_URL"]
        os.environ["DATABASE_URL"] = through(_pooler.port, os.environ["DATABASE_URL"])

from .settings import *  # noqa: E402, F403
from .settings import DATA_DIR, STATIC_ROOT  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = os.environ.get("TEST_EMAIL_BACKEND", "django.core.mail.backends.locmem.EmailBackend")
EMAIL_TIMEOUT = 2  # what a killed worker had in hand is taken up again after some of these
EMAIL_FILE_PATH = os.environ.get("TEST_EMAIL_FOLDER", "")
REQUESTS_PER_MINUTE_ADDRESS = REQUESTS_PER_MINUTE_USER = 1_000_000  # tests of limits set their own
if "TEST_STATIC_FILES" not in os.environ:  # only a browser needs them as they are served in production
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # type: ignore[name-defined]
    STATIC_ROOT = DATA_DIR / "few-static"  # each test client reads the list of the files in it
MEDIA_ROOT = str(DATA_DIR / "media")
Path(STATIC_ROOT).mkdir(parents=True, exist_ok=True)
TENANT_CONCURRENCY = 0  # tests of the bulkhead set their own
TRAFFIC_FLUSH_SECONDS = 0  # tests take the figures to memory themselves
WARM_SCHEMAS = 2
WARM_POOL_PLACES = 1
POOL_CAPACITY = 50
LOGGING["root"]["level"] = "WARNING"  # type: ignore[name-defined]
