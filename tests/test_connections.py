"""A kept connection is parted with once its server process remembers too many schemas, or its alias leads elsewhere."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.conf import settings
from django.db import close_old_connections, connections

from apps.projects.models import Project
from apps.tenancy import databases
from apps.tenancy.context import use
from apps.tenancy.postgresql import base
from apps.tenancy.replicas import health
from apps.tenancy.replicas.positions import replica_of
from tests.support.factories import Organization

STARTUP, CLEARTEXT_PASSWORD = 3 << 16, 3  # of PostgreSQL's protocol


def touch(organization: Organization) -> int:
    """Read something of an organization, as a request does; the server process that answered."""
    with use(organization.context), connections["default"].cursor() as cursor:
        assert Project.objects.count() == 0
        cursor.execute("SELECT pg_backend_pid()")
        process = int(cursor.fetchone()[0])
    close_old_connections()
    return process


def test_connection__that_has_touched_too_many_schemas__is_replaced(platform, database, monkeypatch):
    monkeypatch.setattr(base, "SCHEMAS_PER_CONNECTION", 1)
    connections["default"].close()
    first, second = platform["schema"]

    processes = [touch(first), touch(first), touch(second), touch(first)]

    assert processes[0] == processes[1] == processes[2] != processes[3]


def test_connection__that_serves_a_pool__is_kept_however_many_tenants_there_are(platform, database, monkeypatch):
    monkeypatch.setattr(base, "SCHEMAS_PER_CONNECTION", 1)
    connections["default"].close()

    assert len({touch(organization) for organization in platform["pool"] * 3}) == 1


@pytest.fixture
def elsewhere(platform, database) -> Iterator[str]:
    """An alias that nobody has used yet, with a replica."""
    yield "elsewhere"
    databases.forget("elsewhere")


@pytest.fixture
def stranger() -> Iterator[tuple[int, list[bytes]]]:
    """The port of a server that asks whoever connects for their password as it is, and what it was told."""
    told: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        pool.submit(ask_for_passwords, server, told)
        yield server.getsockname()[1], told
        server.shutdown(socket.SHUT_RDWR)


def ask_for_passwords(server: socket.socket, told: list[bytes]) -> None:
    with suppress(OSError):
        while True:
            client, _ = server.accept()
            with client:
                while struct.unpack("!4xI", client.recv(1000)[:8])[0] != STARTUP:
                    client.sendall(b"N")  # no encryption
                client.sendall(b"R" + struct.pack("!II", 8, CLEARTEXT_PASSWORD))
                told.append(client.recv(1000))


@pytest.fixture
def other_thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool
        pool.submit(connections.close_all).result()


def host_of(alias: str) -> str:
    """Where a thread's connection leads to at its next request."""
    close_old_connections()
    connections[alias].ensure_connection()
    return str(connections[alias].connection.info.host)


@pytest.mark.parametrize("is_removed_first", [False, True])
def test_replica__at_another_address__is_read_there_by_threads_that_read_the_first_one(
    elsewhere, other_thread, is_removed_first
):
    url = settings.DATABASE_URL
    port = databases.parse_url(url)["PORT"]
    alias = replica_of(elsewhere)
    databases.register(elsewhere, url, 1, replica_address=f"127.0.0.1:{port}")
    assert other_thread.submit(host_of, alias).result() == "127.0.0.1"

    if is_removed_first:
        databases.register(elsewhere, url, 2)
    databases.register(elsewhere, url, 3, replica_address=f"localhost:{port}")

    assert other_thread.submit(host_of, alias).result() == "localhost"


def test_replica__at_another_address__is_not_trusted_for_what_the_first_one_had(elsewhere):
    url = settings.DATABASE_URL
    databases.register(elsewhere, url, 1, replica_address="127.0.0.1:1")
    standing = health.of(replica_of(elsewhere))
    standing._replayed, standing._is_good, standing._looked_at = 1000, True, time.monotonic()
    assert standing.has(1000)

    databases.register(elsewhere, url, 2, replica_address="127.0.0.1:2")

    assert not standing.has(1000)


def test_replica__that_is_a_stranger__is_not_told_the_password(elsewhere, stranger):
    port, told = stranger
    databases.register(elsewhere, settings.DATABASE_URL, 1, replica_address=f"127.0.0.1:{port}")

    assert not health.of(replica_of(elsewhere)).has(0)

    password = databases.parse_url(settings.DATABASE_URL)["PASSWORD"]
    assert password
    assert not any(password.encode() in words for words in told)
