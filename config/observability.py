"""Logs as JSON lines, errors to Sentry; neither carries a secret."""

from __future__ import annotations

import re
from typing import Any

import sentry_sdk
import structlog
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.types import Event, Hint

SECRET_NAMES = re.compile(r"pass(word|wd)|secret|token|authorization|cookie|api_?key|signature|dsn", re.I)
HIDDEN = "[hidden]"

_shared_processors: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def hide_secrets(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """A structlog processor: values under telling names are replaced, at any depth."""
    return {key: _scrubbed(key, value) for key, value in event.items()}


def logging_config(*, level: str) -> dict[str, Any]:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            *_shared_processors[1:],
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": _shared_processors,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            hide_secrets,
            structlog.processors.JSONRenderer(),
        ],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": formatter},
        "handlers": {"stdout": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}},
        "root": {"handlers": ["stdout"], "level": level},
        "loggers": {
            "django.server": {"handlers": [], "propagate": False},
            "django.request": {"level": "ERROR"},
            "celery.worker.strategy": {"level": "WARNING"},  # django-structlog says the same with more fields
            "celery.app.trace": {"level": "CRITICAL"},
        },
    }


def start_sentry(dsn: str, *, environment: str) -> None:
    """Report errors if a DSN is set."""
    if dsn:
        sentry_sdk.init(
            dsn=dsn,
            environment=environment,
            integrations=[DjangoIntegration(), CeleryIntegration()],
            send_default_pii=False,
            include_local_variables=False,  # they hold URLs with passwords, codes and the like
            before_send=before_send,
        )


def before_send(event: Event, hint: Hint) -> Event | None:
    """Tag an error report with its tenant and hide everything that looks like a secret."""
    fields = structlog.contextvars.get_contextvars()
    tags = {name: str(fields[name]) for name in ("tenant", "tenant_id", "request_id") if name in fields}
    event["tags"] = {**(event.get("tags") or {}), **tags}  # type: ignore[dict-item]
    scrubbed: Any = _scrubbed("", event)
    request = scrubbed.get("request")
    if isinstance(request, dict):
        request.pop("query_string", None)
        request.pop("data", None)
    return scrubbed  # type: ignore[no-any-return]


def _scrubbed(name: str, value: Any) -> Any:
    if name and SECRET_NAMES.search(name):
        return HIDDEN
    if isinstance(value, dict):
        return {key: _scrubbed(str(key), item) for key, item in value.items()}
    if isinstance(value, list):
        return [_scrubbed("", item) for item in value]
    return value
