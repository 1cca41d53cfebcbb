"""Reading a log in pages, and exporting all of it."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from apps.audit.export import as_csv, as_json_lines
from apps.audit.models import ControlEvent, Event
from apps.audit.selectors import AuditEntry, all_events, events_page
from apps.core.csv_files import harmless
from apps.tenancy.context import control
from tests.support.factories import Organization

from .logs import Log

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


# -- Read -------------------------------------------------------------------------------------------------------------


def test_pages__of_both_planes__are_the_sorted_union(home, foreign):
    made = scatter(home, 40)
    scatter(foreign, 5)

    for limit in (1, 3, 7, 100):
        assert positions(walk(home, limit)) == sorted(made, reverse=True)
        assert positions(walk_upward(home, limit)) == sorted(made)


def test_pages__across_a_page_boundary_of_the_export__hold_everything_once(home, monkeypatch):
    made = scatter(home, 25)
    monkeypatch.setattr("apps.audit.selectors.PAGE", 4)

    with home.inside():
        assert positions(all_events(tenant_id=home.tenant.id)) == sorted(made, reverse=True)


def test_page__with_filters__holds_what_fits(home):
    scatter(home, 12)
    log = Log(home, "tenant")
    (mine,) = log.record()
    fitting: list[dict[str, Any]] = [
        {"action": "thing."},
        {"action": "thing.done", "resource_type": "tenant", "resource_id": str(home.tenant.id)},
        {"since": NOON + timedelta(hours=1)},
    ]

    with home.inside():
        for filters in fitting:
            assert [entry.id for entry in events_page(tenant_id=home.tenant.id, limit=50, **filters)] == [mine.id]
        assert not events_page(tenant_id=home.tenant.id, limit=50, action="thing_")
        assert not events_page(tenant_id=home.tenant.id, limit=50, actor_id="nobody")
        assert len(events_page(tenant_id=home.tenant.id, limit=50, until=NOON + timedelta(hours=1))) == 12


def test_page__asked_for_a_foreign_tenant__is_empty(home, foreign):
    scatter(foreign, 4)

    with home.inside():
        assert events_page(tenant_id=foreign.tenant.id, limit=50) == []


FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\u00a0=1",
    "\ufeff=1",
    "＝1",
    "a\n=1",
    "a\r\n @x",
]


# -- Exported ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", FORMULAS)
def test_cell__that_would_be_a_formula__is_made_harmless(cell):
    made = harmless(cell)

    assert made != cell
    assert made.replace("'", "") == cell
    assert not any(line.strip().startswith(tuple("=+-@＝＋－＠")) for line in made.splitlines())


@pytest.mark.parametrize("cell", ["", "a=b", "thing.done", "it's", "a\nb", '{"a": "=1"}', "a -b"])
def test_cell__that_is_none__stays_as_it_is(cell):
    assert harmless(cell) == cell


text = st.text(alphabet=st.one_of(st.sampled_from("=+-@\t\r\n\"',; ab"), st.characters(codec="utf-8")), max_size=12)


@examples(max_examples=100, deadline=None)
@given(cells=st.lists(st.tuples(text, text), max_size=5))
def test_csv__of_any_text__reads_back_as_the_same_cells(cells):
    entries = [entry(action=action, actor_id=actor) for action, actor in cells]

    written = b"".join(as_csv(entries)).decode("utf-8-sig")
    read = list(csv.DictReader(io.StringIO(written, newline="")))

    assert [(row["action"], row["actor_id"]) for row in read] == [(harmless(a), harmless(b)) for a, b in cells]
    assert not any(row["action"][:1] in ("=", "+", "-", "@", "\t", "\r", "\n") for row in read if row["action"])


def test_export__of_many_entries__comes_in_pieces():
    entries = [entry(action=f"a{number}", changes={"name": ["=x", "ü"]}) for number in range(500)]

    pieces = list(as_csv(iter(entries)))
    lines = [json.loads(line) for line in as_json_lines(iter(entries))]

    assert len(pieces) == 3
    assert b"".join(pieces).count(b"\r\n") == 501
    assert lines[0]["changes"] == {"name": ["=x", "ü"]}
    assert lines[0]["occurred_at"] == "2026-01-01T12:00:00.000000+00:00"


def scatter(organization: Organization, count: int) -> list[tuple[datetime, UUID]]:
    """Events of both planes at a handful of moments, so that many share one."""
    moments = itertools.cycle([NOON, NOON + timedelta(microseconds=1), NOON, NOON - timedelta(seconds=1), NOON])
    made = []
    for number, moment in zip(range(count), moments, strict=False):
        values = {"id": uuid4(), "occurred_at": moment, "actor_type": "user", "action": "x.y", "resource_type": "x"}
        if number % 3:
            with organization.inside():
                Event.objects.create(**values)
        else:
            with control("record"):
                ControlEvent.objects.create(tenant=organization.tenant, **values)
        made.append((moment, values["id"]))
    return made


def positions(entries: Any) -> list[tuple[datetime, UUID]]:
    return [entry.position for entry in entries]


def walk(organization: Organization, limit: int) -> Iterator[AuditEntry]:
    tenant_id, before = organization.tenant.id, None
    with organization.inside():
        while page := events_page(tenant_id=tenant_id, limit=limit, before=before):
            assert len(page) <= limit
            yield from page
            before = page[-1].position


def walk_upward(organization: Organization, limit: int) -> Iterator[AuditEntry]:
    tenant_id, after = organization.tenant.id, (NOON - timedelta(days=1), uuid4())
    with organization.inside():
        while page := events_page(tenant_id=tenant_id, limit=limit, after=after):
            yield from reversed(page)
            after = page[0].position


def entry(**values: Any) -> AuditEntry:
    plain: dict[str, Any] = dict.fromkeys(["actor_type", "actor_id", "resource_type", "resource_id", "action"], "")
    plain |= {"id": uuid4(), "occurred_at": NOON, "actor_ip": None, "changes": {}, "metadata": {}, "plane": "tenant"}
    return AuditEntry(**{**plain, **values})
