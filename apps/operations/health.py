"""What load balancers ask: is the process alive, is it ready, is Redis there.

Whoever asks is told yes or no. Which part it is stands in the log and, for staff, on the status page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Condition

import redis
import structlog
from cachetools import TTLCache, cached
from django.conf import settings
from django.db import DatabaseError, connections
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from apps.core.encryption import DecryptionError
from apps.core.problems import RETRY_SOON
from apps.fleet.services.control_plane import control_migrations_missing
from apps.tenancy.context import CONTROL_ALIAS, control, use
from apps.tenants.models import TenantDatabase
from apps.tenants.selectors import tenant_databases

log = structlog.get_logger(__name__)

REDIS_TIMEOUT_SECONDS = 0.2
KEPT_SECONDS = 5
OK = "ok"
ALIVE_PATH = "/health"
METHODS = ("GET", "HEAD")


class HealthMiddleware:
    """Answers on every host name, before anything else runs."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.answers = {ALIVE_PATH: alive, "/ready": ready, "/health/redis": redis_ready}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self.answers.get(request.path_info)
        if answer is None:
            return self.get_response(request)
        return answer() if request.method in METHODS else HttpResponseNotAllowed(METHODS)


def alive() -> HttpResponse:
    """The process answers; nothing else is touched."""
    return JsonResponse({"status": "ok"})


def ready() -> HttpResponse:
    return _report(_checks())


def redis_ready() -> HttpResponse:
    return _report({"redis": _redis()})


@dataclass(frozen=True)
class Readiness:
    """What ``/ready`` would have said at some moment."""

    checked_at: datetime
    checks: dict[str, str]

    @property
    def is_good(self) -> bool:
        return all(result == OK for result in self.checks.values())


@cached(TTLCache(maxsize=1, ttl=KEPT_SECONDS), condition=Condition())
def recent_readiness() -> Readiness:
    """The last answer for a few seconds: however many people look, the servers are asked rarely."""
    return Readiness(timezone.now(), _checks())


def _checks() -> dict[str, str]:
    return {**_databases(), "redis": _redis(), "migrations": _migrations()}


def _report(checks: dict[str, str]) -> HttpResponse:
    healthy = all(result == OK for result in checks.values())
    body = {"status": OK if healthy else "unavailable"}
    return JsonResponse(body, status=200 if healthy else 503, headers={} if healthy else RETRY_SOON)


def _databases() -> dict[str, str]:
    """The control database, and the tenants' own as one: who has one is nobody's business."""
    control_database = _checked("database", lambda: _select_one(CONTROL_ALIAS))
    if control_database != "ok":
        return {"database": control_database}
    own = {_checked("tenant_databases", partial(_tenant_database, database)) for database in tenant_databases()}
    return {"database": "ok", "tenant_databases": "ok" if own <= {"ok"} else "unavailable"}


def _tenant_database(database: TenantDatabase) -> None:
    database.register()
    _select_one(database.alias)


def _select_one(alias: str) -> None:
    with use(None), connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1")


def _migrations() -> str:
    def check() -> None:
        with control("readiness"):
            missing = control_migrations_missing()
        if missing:
            raise LookupError(f"{len(missing)} migrations are not applied")

    return _checked("migrations", check)


def _redis() -> str:
    """The servers of the cache and of the task queue, which may be one."""

    def check() -> None:
        for url in {str(settings.CACHES["default"]["LOCATION"]), settings.CELERY_BROKER_URL}:
            with redis.Redis.from_url(
                url, socket_timeout=REDIS_TIMEOUT_SECONDS, socket_connect_timeout=REDIS_TIMEOUT_SECONDS
            ) as client:
                client.ping()

    return _checked("redis", check)


def _checked(part: str, check: Callable[[], None]) -> str:
    """'ok' or 'unavailable'; the reason goes to the log, not to whoever asks."""
    try:
        check()
    except (DatabaseError, redis.RedisError, LookupError, OSError, DecryptionError) as error:
        log.warning("not_ready", part=part, error=str(error).strip())
        return "unavailable"
    return "ok"
