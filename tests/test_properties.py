"""Whatever order contexts, transactions and failures come in, a tenant only ever meets its own rows."""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError, connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.projects.models import Project
from apps.tenancy.context import control, current, use
from apps.tenancy.errors import ContextChangedInTransaction
from apps.tenancy.transactions import atomic
from tests.support.factories import Organization

leaves = st.sampled_from(["read", "write", "raw", "fail", "reconnect", "none", "control"])
blocks = st.sampled_from(["pool0", "pool1", "schema0", "database0", "atomic", "rollback"])
programs = st.recursive(leaves, lambda inner: st.tuples(blocks, st.lists(inner, max_size=4)), max_leaves=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=st.lists(programs, max_size=6))
def test_any_program__meets_its_own_rows_only(platform, database, program):
    places = {
        "pool0": platform["pool"][0],
        "pool1": platform["pool"][1],
        "schema0": platform["schema"][0],
        "database0": platform["database"][0],
    }
    for step in program:
        run(step, places)

    assert current() is None


def run(step: Any, places: dict[str, Organization]) -> None:
    if isinstance(step, str):
        act(step)
        return
    kind, inner = step
    try:
        if kind in places:
            with places[kind].inside():
                for each in inner:
                    run(each, places)
        elif current() is not None:
            with atomic():
                for each in inner:
                    run(each, places)
                transaction.set_rollback(kind == "rollback", using=alias())
    except ContextChangedInTransaction:
        return  # refused is as good as not done


def act(step: str) -> None:
    context = current()
    if step == "none":
        with use(None):
            return
    if step == "control":
        with control("property"):
            return
    if context is None:
        return
    if step == "write":
        Project.objects.create(name=f"{context.tenant_id}-{Project.objects.count()}")
    if step == "fail":
        try:
            with transaction.atomic(using=alias()), connections[alias()].cursor() as cursor:
                cursor.execute("SELECT 1/0")
        except DatabaseError:
            pass
    if step == "reconnect" and not connections[alias()].in_atomic_block:
        connections[alias()].close()
    assert {row.tenant_id for row in Project.objects.all()} <= {context.tenant_id}
    with connections[alias()].cursor() as cursor:
        cursor.execute("SELECT DISTINCT tenant_id FROM projects_project")
        assert {row[0] for row in cursor.fetchall()} <= {context.tenant_id}


def alias() -> str:
    context = current()
    assert context is not None
    return context.alias
