"""Logs to record in."""

from __future__ import annotations

import pytest

from .logs import Log


@pytest.fixture(params=["pool", "schema", "database", "control"])
def log(platform, database, request) -> Log:
    return Log(platform.get(request.param, platform["schema"])[0], request.param)


@pytest.fixture
def acme_log(acme) -> Log:
    return Log(acme, "schema")
