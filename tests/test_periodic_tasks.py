"""What is done periodically costs the same however many organizations there are, when all of them are quiet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from celery import current_app
from django.conf import settings
from django.db import connections

from apps.operations import strays
from apps.operations.unsealed import Sweep, tenants_in
from apps.tenancy.context import CONTROL_ALIAS
from apps.tenancy.databases import statements_sent
from tests.support.factories import add_document, add_project, create_organization

current_app.loader.import_default_modules()
MOST_STATEMENTS = 50
JOBS = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}


@pytest.fixture
def quiet(platform, database) -> Callable[[int], None]:
    """Adds organizations, with a document each, that have done nothing for a while."""

    def add(count: int) -> None:
        for number in range(count):
            organization = create_organization(f"Quiet {number}", "pool" if number % 2 else "schema")
            add_document(organization, add_project(organization))
            long_ago = time.time() - 2 * strays.QUIET_SECONDS
            for path in [organization.folder, *Path(organization.folder).rglob("*")]:
                os.utime(path, (long_ago, long_ago))
        deadline = time.monotonic() + 30
        while tenants_in(Sweep(CONTROL_ALIAS).changed()) and time.monotonic() < deadline:
            run("apps.operations.tasks.seal_audit_logs")
            time.sleep(0.2)
        for job in JOBS:
            run(job)  # what there was to do is done

    return add


def run(job: str) -> int:
    """How many statements a job sends."""
    before = statements_sent()
    current_app.tasks[job].apply().get()
    connections.close_all()
    return statements_sent() - before


@pytest.mark.parametrize("counts", [(2, 6), pytest.param((20, 180), marks=pytest.mark.slow)], ids=str)
def test_job__with_more_quiet_organizations__sends_as_many_statements_as_with_few(quiet, counts):
    few, more = counts
    quiet(few)
    with_few = {job: run(job) for job in JOBS}
    quiet(more)

    with_more = {job: run(job) for job in JOBS}

    assert with_more == with_few
    assert max(with_few.values()) <= MOST_STATEMENTS
