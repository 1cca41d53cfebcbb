"""The Celery application. Every task is a ContextTask: it runs in the context it was sent from, or not at all."""

from __future__ import annotations

import logging.config
import os
import warnings
from typing import Any

import structlog
from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import celeryd_init, setup_logging, task_postrun, task_prerun, worker_init
from django.conf import settings
from django.db import connections
from django_structlog.celery import signals as log_signals
from django_structlog.celery.steps import DjangoStructLogInitStep

from apps.tenancy.context import CONTROL_ALIAS
from apps.tenancy.tasks import TENANT_HEADER
from apps.tenancy.walls import pooling

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("tenantry", task_cls="apps.tenancy.tasks:ContextTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.steps["worker"].add(DjangoStructLogInitStep)
app.autodiscover_tasks()


@celeryd_init.connect
def allow_root_in_development(**kwargs: Any) -> None:
    """A development machine may be a container. Not when this is imported: the settings may be what imports it."""
    if settings.DEVELOPMENT:
        warnings.simplefilter("ignore", SecurityWarning)


@setup_logging.connect
def use_django_logging(**kwargs: Any) -> None:
    """Keep Celery from configuring logging of its own."""
    logging.config.dictConfig(settings.LOGGING)


@task_prerun.connect
@task_postrun.connect
def keep_connection(sender: Any, **kwargs: Any) -> None:
    """Keep that with the control database, as between requests: logging in takes longer than most tasks."""
    if sender.request.is_eager:
        return
    for connection in connections.all(initialized_only=True):
        if connection.alias == CONTROL_ALIAS:
            connection.close_if_unusable_or_obsolete()
        else:
            connection.close()


@worker_init.connect
def refuse_unsafe_pooling(**kwargs: Any) -> None:
    pooling.exit_if_unsafe()


@log_signals.bind_extra_task_metadata.connect
def name_tenant_in_logs(task: Any, **kwargs: Any) -> None:
    """Bind the tenant before the task's first log line; its context begins only after that."""
    tenant_id = (task.request.headers or {}).get(TENANT_HEADER)
    if tenant_id:
        structlog.contextvars.bind_contextvars(tenant_id=tenant_id)
