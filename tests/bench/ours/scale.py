"""A platform with many organizations: filling it, and what its jobs and commands cost there."""

from __future__ import annotations

import io
import time
from contextlib import suppress
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from apps.audit import services as audit
from apps.audit.actors import SYSTEM
from apps.onboarding import services
from apps.operations.unsealed import Sweep, tenants_in
from apps.projects.models import Project
from apps.tenancy.context import CONTROL_ALIAS, use
from apps.tenancy.databases import statements_sent
from apps.tenancy.transactions import atomic
from apps.tenants.selectors import all_tenants
from apps.tenants.services import schema_store

current_app.loader.import_default_modules()
SEALING = "apps.operations.tasks.seal_audit_logs"
POOLED = 10  # one of so many lives in a pool
PROJECTS = 3
SETTLED = 30  # sweeps at the most until nothing is left to be sealed


def found(first: int, last: int) -> float:
    """Found the organizations with these numbers, with a few projects each; seconds."""
    began = time.perf_counter()
    schema_store.replenish(schemas=last - first, pool_places=(last - first) // POOLED + 1)
    for number in range(first, last):
        _found_one(number)
    connections.close_all()
    return time.perf_counter() - began


def _found_one(number: int) -> None:
    placement = "pool" if number % POOLED == 0 else "schema"
    email = f"scale-{number}@bench.example"
    created = services.ensure_organization(organization=f"Scale {number:05d}", owner_email=email, placement=placement)
    with use(created.tenant.context()):
        Project.objects.bulk_create([Project(name=f"Project {one}") for one in range(PROJECTS)])


def jobs() -> list[str]:
    """The periodic jobs by name."""
    return sorted({entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()})


def run_job(job: str) -> dict[str, float]:
    return _cost(lambda: current_app.tasks[job].apply().get())


def run_command(line: list[str]) -> dict[str, float]:
    return _cost(lambda: _run(line))


def _run(line: list[str]) -> None:
    with suppress(SystemExit):  # some have an exit code for what they found
        call_command(*line, stdout=io.StringIO(), stderr=io.StringIO())


def _cost(work: Any) -> dict[str, float]:
    """Seconds, processor seconds of this process, and statements."""
    connections.close_all()
    statements, processor, began = statements_sent(), time.process_time(), time.perf_counter()
    work()
    spent = {"seconds": time.perf_counter() - began, "processor": time.process_time() - processor}
    connections.close_all()
    return spent | {"statements": statements_sent() - statements}


def settle() -> int:
    """Seal what there is; how many organizations have something unsealed still."""
    for _ in range(SETTLED):
        current_app.tasks[SEALING].apply().get()
        left = unsealed()
        if not left:
            break
        time.sleep(1)
    return left


def unsealed() -> int:
    """How many organizations have something that is not sealed yet."""
    return len(list(tenants_in(Sweep(CONTROL_ALIAS).changed())))


def act(number: int) -> float:
    """Have something recorded in each of so many organizations; seconds."""
    began = time.perf_counter()
    for tenant in all_tenants()[:number]:
        with use(tenant.context()), atomic():
            audit.record("bench.acted", actor=SYSTEM, resource=tenant)
    connections.close_all()
    return time.perf_counter() - began
