"""How far the walls of a server are, and what is said of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import OperationalError

from apps.operations import capacity as walls
from apps.operations import measuring, unsealed
from apps.operations.capacity import ServerWall, capacity, locks_wanted, small_settings
from apps.operations.measuring import Machine, Places, Server
from apps.operations.unsealed import LastSweep
from apps.tenancy.context import CONTROL_ALIAS
from apps.tenancy.databases import statements_sent
from apps.tenancy.outbox import Backlog
from tests.support import servers
from tests.support.commands import run
from tests.support.factories import create_organization

GIGABYTE = 2**30
NAMES = [
    "schemas of their own",
    "places in pools",
    "locks of a dump",
    "catalog in memory",
    "connections",
    "transaction ids",
    "memory of connections",
    "files",
    "disk",
    "sealing",
    "outbox",
]
# As the server with ten thousand organizations was.
SERVER = Server(
    connections_limit=200,
    lockers=200,
    locks_each=512,
    vacuums=True,
    cache_bytes=4 * GIGABYTE,
    buffer_bytes=256 * 2**20,
    sync_method="syncfs",
    is_linux=True,
    connections=20,
    transaction_age=1_000_000,
    bytes=5 * GIGABYTE,
    lockable=82_500,
    tenants_lockable=82_100,
    files=440_000,
    schemas=9_050,
    catalog_bytes=840 * 2**20,
)
EMPTY = replace(SERVER, lockable=400, tenants_lockable=40, files=600, schemas=4, catalog_bytes=15 * 2**20)
MACHINE = Machine(
    disk=250 * GIGABYTE, disk_used=30 * GIGABYTE, inodes=16_000_000, inodes_used=600_000, memory=32 * GIGABYTE
)
FAR: dict[str, object] = {
    "server": EMPTY,
    "machine": MACHINE,
    "places": Places(own_schemas=4, in_pools=3, pool_places=1000),
    "waiting_events": Backlog(0, 0, 0, 0.0),
}
SWEEP = LastSweep(seconds=1.0, limit=50.0, seconds_ago=20.0)


@pytest.fixture
def measured(monkeypatch):
    """Has the server measured as the test says."""

    def say(*, sweep: LastSweep | None = SWEEP, **changed: object) -> None:
        for name, value in {**FAR, **changed}.items():
            monkeypatch.setattr(measuring, name, lambda value=value: value)
        monkeypatch.setattr(walls, "last_sweep", lambda: sweep)

    say()
    return say


NEAR = {
    "schemas of their own": ({"places": Places(9_500, 0, 1000)}, 95, "SCHEMA_LIMIT"),
    "places in pools": ({"places": Places(4, 720, 1000)}, 72, "POOL_LIMIT"),
    "locks of a dump": ({"server": SERVER}, 80, "set max_locks_per_transaction to 832"),
    "catalog in memory": (
        {"server": replace(SERVER, locks_each=2000, cache_bytes=GIGABYTE)},
        82,
        "effective_cache_size",
    ),
    "connections": ({"server": replace(EMPTY, connections=180)}, 90, "PgBouncer"),
    "transaction ids": ({"server": replace(EMPTY, transaction_age=1_900_000_000)}, 88, "autovacuum_max_workers"),
    "memory of connections": (
        {"server": replace(SERVER, locks_each=2000), "machine": replace(MACHINE, memory=8 * GIGABYTE)},
        74,
        "max_connections",
    ),
    "files": ({"machine": replace(MACHINE, inodes_used=15_500_000)}, 96, "inodes"),
    "disk": ({"machine": replace(MACHINE, disk_used=200 * GIGABYTE)}, 80, "disk"),
    "sealing": ({"sweep": LastSweep(49.0, 50.0, 10.0)}, 98, "minute"),
    "outbox": ({"waiting_events": Backlog(700, 0, 0, 54.0)}, 90, "700 events wait: look after the relay"),
}


def test_walls__all__are_made_near_below(measured):
    [report] = capacity()

    assert sorted(wall.name for wall in report.walls) == sorted(NAMES) == sorted(NEAR)
    assert report.is_fine


@pytest.mark.parametrize("name", NAMES)
def test_wall__that_is_near__is_first_and_says_what_to_do(measured, capsys, name):
    changed, percent, advice = NEAR[name]
    measured(**changed)

    with pytest.raises(SystemExit) as ended:
        call_command("capacity")
    lines = capsys.readouterr().out.splitlines()
    [report] = capacity()

    assert ended.value.code == 1
    assert [wall.name for wall in report.walls if wall.is_near] == [name]
    assert (report.walls[0].name, report.walls[0].percent) == (name, percent)
    assert lines[2].startswith(name)
    mark = "!!" if percent >= 90 else "!"
    [said] = [line for line in lines if line.startswith(f"{mark} {name}: ")]
    assert advice in said


@pytest.mark.parametrize(
    ("value", "limit", "each", "percent", "state", "left"),
    [
        (0, 100, 1, 0, "fine", 100),
        (69.9, 100, 1, 69, "fine", 30),
        (70, 100, 7, 70, "near", 4),
        (89, 100, 0, 89, "near", None),
        (90, 100, 1, 90, "close", 10),
        (100, 100, 1, 100, "close", 0),
        (300, 100, 1, 300, "close", 0),
        (0, 0, 1, 100, "close", 0),
        (5, None, 1, None, "unknown", None),
    ],
)
def test_wall__of_a_value_and_a_limit__knows_how_far_it_is(value, limit, each, percent, state, left):
    wall = ServerWall("a wall", "things", value, limit, each)

    assert (wall.percent, wall.state, wall.organizations_left) == (percent, state, left)


def test_walls__of_the_server_that_was_measured__say_where_they_were(measured):
    measured(server=SERVER)

    [report] = capacity()

    left = {wall.name: wall.organizations_left for wall in report.walls}
    assert 2000 < left["locks of a dump"] < 2500  # pg_dump's wall was near 12,400 with 9,953 there
    assert left["catalog in memory"] > 30_000


def test_walls__of_a_new_server__are_not_near_for_what_the_platform_itself_has(measured):
    measured(server=EMPTY)

    [report] = capacity()

    left = {wall.name: wall.organizations_left for wall in report.walls}
    assert left["locks of a dump"] > 9_000
    assert left["catalog in memory"] > 9_000


@pytest.mark.parametrize(
    ("machine", "sweep", "unknown"),
    [
        (None, SWEEP, {"memory of connections", "files", "disk"}),
        (replace(MACHINE, inodes=0), SWEEP, {"files"}),
        (MACHINE, None, {"sealing"}),
    ],
)
def test_wall__that_cannot_be_seen_from_here__is_unknown_and_no_reason_to_warn(
    measured, capsys, machine, sweep, unknown
):
    measured(machine=machine, sweep=sweep)

    call_command("capacity")
    lines = capsys.readouterr().out.splitlines()

    assert {wall.name for wall in capacity()[0].walls if wall.state == "unknown"} == unknown
    assert all(any(line.startswith(name) and "?" in line for line in lines) for name in unknown)


def test_sealing__when_no_sweep_has_ended_for_long__is_near(measured):
    measured(sweep=LastSweep(0.5, 50.0, seconds_ago=900.0))

    [report] = capacity()

    assert (report.walls[0].name, report.walls[0].percent) == ("sealing", 1800)
    assert "workers and beat" in report.walls[0].advice


ROOMY = replace(SERVER, locks_each=1024)
SMALL = {
    "nothing": (ROOMY, {}),
    "locks": (replace(ROOMY, locks_each=64), {"max_locks_per_transaction": "832"}),
    "locks of a large server": (
        replace(ROOMY, lockable=825_000, lockers=1000, locks_each=64),
        {"max_locks_per_transaction": "1664"},
    ),
    "no spare locks": (replace(SERVER, lockable=102_400), {"max_locks_per_transaction": "1024"}),
    "fsync": (replace(ROOMY, sync_method="fsync"), {"recovery_init_sync_method": "syncfs"}),
    "fsync of few files": (replace(ROOMY, sync_method="fsync", files=1000), {}),
    "fsync elsewhere": (replace(ROOMY, sync_method="fsync", is_linux=False), {}),
    "before version 14": (replace(ROOMY, sync_method=""), {}),
    "cache": (replace(ROOMY, cache_bytes=500 * 2**20), {"effective_cache_size": "1680MB"}),
    "autovacuum": (replace(ROOMY, vacuums=False), {"autovacuum": "on"}),
    "all": (
        replace(ROOMY, locks_each=64, sync_method="fsync", cache_bytes=1, vacuums=False),
        {
            "max_locks_per_transaction": "832",
            "recovery_init_sync_method": "syncfs",
            "effective_cache_size": "1680MB",
            "autovacuum": "on",
        },
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_settings__too_small_for_what_is_there__are_named_with_what_to_set(measured, name):
    server, wanted = SMALL[name]
    measured(server=server)

    warnings = [w.msg for w in run_checks(tags=["database"], databases=[CONTROL_ALIAS]) if w.id == "operations.W001"]

    assert {setting.name: setting.wanted for setting in small_settings(server)} == wanted
    assert len(warnings) == len(wanted)
    for setting, value in wanted.items():
        assert any(w.startswith(setting) and f"set it to {value}: " in w for w in warnings)


@pytest.mark.parametrize("lockable", [1, 82_500, 1_000_000])
@pytest.mark.parametrize("lockers", [50, 200, 5000])
def test_locks__as_they_are_wanted__suffice_for_twice_as_many_tables(lockable, lockers):
    server = replace(SERVER, lockable=lockable, lockers=lockers)

    after = replace(server, locks_each=locks_wanted(server), lockable=int(1.6 * lockable))

    assert small_settings(after) == []


def test_check__without_a_database__asks_none(measured, monkeypatch):
    monkeypatch.setattr(measuring, "server", lambda: pytest.fail("asked"))

    assert [w for w in run_checks(tags=["database"]) if w.id == "operations.W001"] == []


# -- on a real server --------------------------------------------------------------------------------------------


def test_capacity__of_the_real_server__knows_every_wall_of_it(platform, database):
    [report] = capacity()

    found = {wall.name: wall for wall in report.walls}
    with servers.as_owner() as connection:
        slots = "SELECT current_setting('max_locks_per_transaction')::int * current_setting('max_connections')::int"
        [(limit,)] = connection.execute(slots)
        tables = "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
        [(lockable,)] = connection.execute(tables)
    assert report.schemas == len(servers.schemas())
    assert (found["locks of a dump"].value, found["locks of a dump"].limit) == (lockable, limit)
    assert report.small == []
    assert {name for name, wall in found.items() if wall.state == "unknown"} <= {"sealing", "files"}


def test_capacity__with_more_organizations__sends_as_many_statements(platform, database):
    def sent() -> int:
        before = statements_sent()
        capacity()
        return statements_sent() - before

    sent()
    few = sent()
    for kind in ("pool", "schema", "database"):
        create_organization(f"More in {kind}", kind)

    assert sent() == few <= 12


def test_sweep__that_has_ended__is_remembered(platform, database):
    unsealed.note_sweep(seconds=12.5, limit=50)

    found = unsealed.last_sweep()

    assert (found.seconds, found.limit) == (12.5, 50.0)
    assert found.seconds_ago < 5


def test_command__as_json__is_one_document_with_every_wall(measured, capsys):
    call_command("capacity", "--json")

    [server] = json.loads(capsys.readouterr().out)["servers"]
    assert sorted(wall["wall"] for wall in server["walls"]) == sorted(NAMES)
    assert {wall["state"] for wall in server["walls"]} == {"fine"}
    assert server["fine"] is True


def test_command__for_people__is_an_aligned_table_with_a_bar_in_each_row(measured, capsys):
    call_command("capacity")

    title, header, *rows = capsys.readouterr().out.splitlines()
    assert title.endswith(": 4 schemas of tenants")
    assert header.split() == ["now", "limit", "organizations", "left"]
    assert len(rows) == len(NAMES)
    assert len({row.index("[") for row in rows}) == 1
    assert all(re.search(r"\d+ %  \[#*\.*\]", row) for row in rows)


def test_command__without_a_server__says_so_in_one_line(measured, monkeypatch):
    def away() -> None:
        raise OperationalError("connection refused\nIs the server running?")

    monkeypatch.setattr(measuring, "server", away)

    with pytest.raises(CommandError, match="^connection refused$") as caught:
        call_command("capacity")

    assert caught.value.returncode == 2


def test_command__as_a_process__says_what_it_found(platform, database):
    done = run("capacity", "--json")

    assert done.returncode in (0, 1), done.stderr
    assert json.loads(done.stdout)["servers"][0]["schemas"] >= 2
