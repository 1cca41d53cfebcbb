"""Logs to record in, and nothing of older tests in them."""

from __future__ import annotations

import pytest
from psycopg import sql

from tests.support import servers

from .logs import CONTROL_TABLES, Log


@pytest.fixture(autouse=True)
def no_older_control_rows(platform, database) -> None:
    """The control plane's log outlives the organizations of other tests."""
    with servers.as_owner() as connection:
        connection.execute(sql.SQL("TRUNCATE {}").format(CONTROL_TABLES))


@pytest.fixture(params=["pool", "schema", "database", "control"])
def log(platform, request) -> Log:
    return Log(platform.get(request.param, platform["schema"])[0], request.param)


@pytest.fixture
def acme_log(acme) -> Log:
    return Log(acme, "schema")
