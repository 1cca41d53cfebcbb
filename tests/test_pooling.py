"""A process starts behind a safe pooler, and behind no other."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from psycopg import sql

from apps.tenancy.databases import parse_url
from apps.tenancy.walls import pooling
from tests.support import pooler, servers


@pytest.fixture(autouse=True)
def roles(platform, database) -> None:
    pooler.require()


@contextmanager
def a_login(attributes: str) -> Iterator[str]:
    """The URL of a login with these attributes, which is there as long as the block."""
    name, password = f"probe_{secrets.token_hex(4)}", secrets.token_hex(8)
    role, database = sql.Identifier(name), parse_url(settings.DATABASE_OWNER_URL)["NAME"]
    with servers.connect_url(servers.administrator_url(database)) as server:
        server.execute(
            sql.SQL(f"CREATE ROLE {{}} {attributes} LOGIN PASSWORD {{}}").format(role, sql.Literal(password))
        )
        server.execute(sql.SQL("GRANT app_tenant TO {}").format(role))
        server.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), role))
        try:
            parts = urlsplit(settings.DATABASE_OWNER_URL)
            yield parts._replace(netloc=f"{name}:{password}@{parts.hostname}:{parts.port}").geturl()
        finally:
            server.execute(sql.SQL("DROP OWNED BY {}").format(role))
            server.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.fixture
def direct() -> str:
    """The login's URL past every pooler."""
    return str(settings.DATABASE_DIRECT_URL)


def test_pooling__as_the_tests_run__is_safe():
    assert pooling.findings() == []


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_login__through_a_pooler_that_keeps_transactions__is_safe(settings, direct, mode):
    with pooler.running(direct, pool_mode=mode) as port:
        settings.DATABASE_URL = pooler.through(port, direct)

        assert pooling.findings() == []


def test_login__through_statement_mode__is_refused(settings, direct):
    with pooler.running(direct, pool_mode="statement") as port:
        settings.DATABASE_URL = pooler.through(port, direct)

        assert "statement mode" in "".join(pooling.findings())


def test_login__that_finds_a_tenant_set_by_somebody__is_refused(settings, direct):
    with pooler.running(direct, default_pool_size=1) as port:
        settings.DATABASE_URL = pooler.through(port, direct)
        with servers.connect_url(settings.DATABASE_URL) as careless:
            careless.execute("SET app.tenant_id = 'left behind'")

        [finding] = pooling.findings()

    assert "something before it has set" in finding


@pytest.mark.parametrize("name", pooling.DIRECT_URLS)
@pytest.mark.parametrize("round_robin", [0, 1])
def test_direct_url__through_transaction_mode__is_refused(settings, name, round_robin):
    url = getattr(settings, name)
    with pooler.running(url, server_round_robin=round_robin) as port:
        _warm(pooler.through(port, url))
        setattr(settings, name, pooler.through(port, url))

        [finding] = pooling.findings()

    assert finding.startswith(f"{name} leads through a pooler in transaction mode")


@pytest.mark.parametrize("name", pooling.DIRECT_URLS)
def test_direct_url__through_session_mode__is_safe(settings, name):
    url = getattr(settings, name)
    with pooler.running(url, pool_mode="session") as port:
        setattr(settings, name, pooler.through(port, url))

        assert pooling.findings() == []


def test_owner__through_the_shipped_users__has_no_line_there(direct):
    with pooler.running(direct) as port, pytest.raises(Exception, match="authentication failed"):
        servers.connect_url(pooler.through(port, settings.DATABASE_OWNER_URL))


def test_login__that_owns_a_table__is_refused(settings):
    settings.DATABASE_URL = settings.DATABASE_OWNER_URL

    assert "owns tables" in "".join(pooling.findings())


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        ("INHERIT", "inherits the rights of other roles"),
        ("NOINHERIT BYPASSRLS", "bypasses row-level security"),
        ("NOINHERIT SUPERUSER", "is a superuser"),
    ],
)
def test_login__that_walls_do_not_stop__is_refused(settings, attributes, fault):
    with a_login(attributes) as url:
        settings.DATABASE_URL = url

        assert fault in "".join(pooling.findings())


def test_login__that_may_not_become_a_tenant__is_refused(settings):
    settings.DATABASE_URL = settings.DATABASE_OPERATOR_URL

    assert "run manage.py setup_roles" in "".join(pooling.findings())


def test_database__that_is_away__stops_nobody(settings):
    away = "postgres://nobody:nothing@127.0.0.1:1/none"
    settings.DATABASE_URL = settings.DATABASE_DIRECT_URL = settings.DATABASE_OWNER_URL = away

    assert pooling.findings() == []


def test_database__that_is_away_behind_the_pooler__stops_nobody(settings):
    with pooler.running("postgres://nobody:nothing@127.0.0.1:1/none") as port:
        settings.DATABASE_URL = f"postgres://nobody:nothing@127.0.0.1:{port}/none"
        settings.DATABASE_CONNECT_TIMEOUT = 2  # the shortest that there is

        assert pooling.findings() == []


def test_system_check__of_an_unsafe_pooler__is_an_error(settings, direct):
    with pooler.running(direct) as port:
        settings.DATABASE_DIRECT_URL = pooler.through(port, direct)

        with pytest.raises(SystemCheckError, match=r"tenancy\.E009"):
            call_command("check", databases=["default"])


def _warm(url: str) -> None:
    """Have the pooler keep several connections to the server."""
    clients = [servers.connect_url(url) for _ in range(3)]
    for client in clients:
        client.execute("BEGIN")
    for client in clients:
        client.close()
