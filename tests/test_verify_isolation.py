"""The command finds no breach in a sound installation, and each hole that is made in one."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from celery import Task, current_app
from django.conf import settings
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import override_settings
from django.urls import clear_url_caches
from django.utils import timezone

from apps.accounts.models import User
from apps.assurance import services, targets
from apps.assurance.attacks import ATTACKS, visitor
from apps.assurance.checks import Check, Wall
from apps.audit.chain import control_chain
from apps.audit.models import ControlEvent
from apps.audit.verification import verify
from apps.notifications.services import send_email_once
from apps.staff import selectors
from apps.tenancy.context import control
from apps.tenancy.walls import cache, context_statements, storage
from apps.tenancy.walls.roles import APP_TENANT, NIL_TENANT
from apps.tenants import directory
from apps.tenants.errors import IllegalTransition
from apps.tenants.models import Pool, Tenant, TenantDatabase
from apps.tenants.services import removal
from config import settings_test
from deploy.local.stored import load_secrets
from tests.support import servers
from tests.support.catalog_holes import HOLES, OWN

HELD, BREACH, NOT_POSSIBLE = 0, 1, 2
PLACEMENTS = ["pool", "schema", "database"]
Verify = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def verified(platform, database, capsys) -> Verify:
    """Runs the command; returns its exit code and its document."""
    with control("look for databases"):
        known = set(TenantDatabase.objects.values_list("name", flat=True))
    servers.drop_forgotten_databases(known)

    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        code = HELD
        try:
            call_command("verify_isolation", "--json", *arguments)
        except SystemExit as ended:
            code = int(str(ended.code))
        return code, json.loads(capsys.readouterr().out)

    return run


def breaches(document: dict[str, Any]) -> dict[str, str]:
    """What was found by check, in words."""
    found = [c for c in document["checks"] if c["result"] == "breach"]
    return {c["id"]: "; ".join(c["evidence"]) for c in found}


def traces() -> dict[str, Any]:
    """Everything that an attacked organization would leave behind."""
    with control("look for traces"):
        tenants = Tenant.objects.count()
        people = User.objects.filter(email__endswith=".invalid").count()
        places = sum(Pool.objects.values_list("tenant_count", flat=True))
    with servers.as_owner() as connection:
        databases = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'tenant\\_%'").fetchall()
        known = connection.execute("SELECT schema FROM platform.schema_ledger").fetchall()
        schemas = servers.schemas()
        logins = connection.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'tenant\\_%\\_login'").fetchall()
    with servers.as_operator() as connection:
        about_tenants = "SELECT count(*) FROM platform.outbox WHERE topic <> %s"
        events = connection.execute(about_tenants, [directory.DIRECTORY_CHANGED]).fetchone()
    folders = Path(settings.MEDIA_ROOT, "tenants")
    return {
        "tenants": tenants,
        "people": people,
        "places": places,
        "databases": sorted(databases),
        "logins": sorted(logins),
        "known without a schema": [name for (name,) in known if name not in schemas],
        "events": events,
        "folders": sorted(p.name for p in folders.iterdir()) if folders.exists() else [],
    }


# -- a sound installation ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_verify_isolation__of_a_sound_installation__finds_nothing_in_any_placement(verified):
    before = traces()

    code, document = verified()

    assert (code, breaches(document), document["result"]) == (HELD, {}, "held")
    assert document["placements"] == PLACEMENTS
    assert {c["id"] for c in document["checks"]} == {c.id for c in services.all_checks()}
    assert all(c["attempts"] for c in document["checks"])
    assert traces() == before


@pytest.mark.parametrize("placements", [["pool"], pytest.param(PLACEMENTS, marks=pytest.mark.slow)], ids=len)
def test_verify_isolation__but_for_its_many_requests__finds_nothing(verified, tmp_path, placements):
    """What takes seconds, the attacks by route, has a test of its own; single routes are tried below."""
    before, page = traces(), tmp_path / "report.html"
    quick = [check.id for check in services.all_checks() if check.wall != Wall.ROUTES or check.id == "attack.tokens"]
    chosen = [*itertools.product(["--check"], quick), *itertools.product(["--placement"], placements)]

    code, document = verified("--html", str(page), *itertools.chain(*chosen))

    assert (code, breaches(document), document["result"]) == (HELD, {}, "held")
    assert document["placements"] == placements
    assert all(c["attempts"] for c in document["checks"])
    limited = {c["place"] for c in document["checks"] if c["result"] == "known limit"}
    assert limited == {"pool", "schema"} & set(placements)
    assert traces() == before
    assert f"All {len(document['checks'])} checks held" in page.read_text()


def test_report__with_a_breach__is_one_page_that_names_it(platform, database, tmp_path):
    page = tmp_path / "report.html"
    with torn("CREATE VIEW peek AS SELECT 1", "DROP VIEW peek"), pytest.raises(SystemExit):
        call_command("verify_isolation", "--check", "catalog", "--html", str(page))

    html = page.read_text()

    assert "1 of 26 checks found a breach" in html
    assert html.count("the view public.peek reads with its owner&#x27;s rights") == 2
    assert re.findall(r"src=|href=|<script|@import|url\(", html) == []


def test_verify_isolation__is_recorded__and_leaves_whole_chains(verified):
    started, actions = timezone.now(), {"isolation.verified", "probe.founded", "probe.removed"}

    verified("--check", "attack.cache", "--placement", "schema")

    with control("read the log"):
        recorded = list(ControlEvent.objects.filter(action__in=actions, occurred_at__gte=started))
        assert {event.action for event in recorded} == actions
        assert {event.actor_id for event in recorded} == {"verify_isolation"}
        probes = {event.tenant_id for event in recorded if event.tenant_id}
        assert all(verify(control_chain(tenant_id)).intact for tenant_id in probes)


@pytest.mark.parametrize(("label", "found"), [("audit.SinkCursor", 0), ("audit.Event", 1), ("audit.Seal", 1)])
def test_damage__of_a_changed_row__is_what_the_platform_does_not_do_itself(label, found):
    before, after = {label: frozenset({"a"})}, {label: frozenset({"b"})}

    assert len(targets.damage(before, after)) == found


def test_verify_isolation__of_the_catalog_only__founds_nobody(verified):
    with control("count"):
        before = ControlEvent.objects.filter(action="probe.founded").count()

    code, document = verified("--check", "catalog")

    assert code == HELD
    assert len(document["databases"]) == 3
    with control("count"):
        assert ControlEvent.objects.filter(action="probe.founded").count() == before


def test_verify_isolation__as_a_table__names_each_check(platform, database, capsys):
    call_command("verify_isolation", "--check", "catalog")

    said = capsys.readouterr().out

    assert "catalog.policies" in said
    assert "All 26 checks held" in said


# -- holes that the catalog shows ------------------------------------------------------------------------------


@pytest.mark.sampled(3)
@pytest.mark.parametrize("hole", HOLES, ids=lambda hole: hole.name)
def test_verify_isolation__with_a_hole_in_the_catalog__names_it(platform, verified, hole):
    names = {
        "pool": platform["pool"][0].context.schema,
        "login": "tenantry_login",
        "operator": settings.DATABASE_OPERATOR_ROLE,
    }
    make, mend = hole.make.format(**names), hole.mend.format(**names)

    with torn(make, mend):
        code, document = verified("--check", f"catalog.{hole.check}")
    mended, _ = verified("--check", f"catalog.{hole.check}")

    assert (code, mended) == (BREACH, HELD)
    assert hole.words in breaches(document)[f"catalog.{hole.check}"]


@pytest.mark.sampled(5)
@pytest.mark.parametrize("hole", HOLES, ids=lambda hole: hole.name)
def test_verify_isolation__of_one_schema_after_the_other__names_the_same_holes(platform, verified, hole, monkeypatch):
    monkeypatch.setattr("apps.tenancy.schemas.slices.SCHEMAS_PER_CONNECTION", 1)
    names = {
        "pool": platform["pool"][0].context.schema,
        "login": "tenantry_login",
        "operator": settings.DATABASE_OPERATOR_ROLE,
    }

    with torn(hole.make.format(**names), hole.mend.format(**names)):
        code, document = verified("--check", "catalog")

    assert code == BREACH
    assert hole.words in breaches(document)[f"catalog.{hole.check}"]
    assert len(document["checks"]) == 26


def test_verify_isolation__with_a_hole_in_a_tenants_own_database__names_it(platform, verified):
    one = platform["database"][0]
    table = f'"{one.context.schema}".projects_project'
    made = f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"

    with torn(made, made.replace("NO FORCE", "FORCE"), database=one.database):
        code, document = verified("--check", "catalog.row-security")

    assert code == BREACH
    assert f"{one.database}: " in breaches(document)["catalog.row-security"]


# -- holes that an attack finds ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("leak", "check", "words"),
    [
        ("by-id", "foreign-ids", "GET leak showed the victim's marker"),
        ("destroying", "foreign-ids", "the victim's projects.Project changed"),
        ("everything", "lists", "GET leak showed the victim's marker"),
        ("trusting", "lists", "GET with forged headers leak showed the victim's marker"),
        ("by-body", "bodies", "the victim's projects.Project changed"),
        ("unguarded", "foreign-host", "GET leak answered 200 instead of refusing"),
        ("nameless", "foreign-ids", "has no name"),
    ],
)
def test_verify_isolation__with_a_leaking_route__names_it(verified, leaking, leak, check, words):
    leaking(leak)

    code, document = verified("--check", f"attack.{check}", "--placement", "pool")

    assert code == BREACH
    assert words in breaches(document)[f"attack.{check}"]


@pytest.mark.parametrize("check", ["select", "change"])
def test_verify_isolation__with_rows_open_to_all__reaches_them(platform, verified, check):
    pool = platform["pool"][0].context.schema
    table = f'"{pool}".projects_project'
    opened = f"ALTER POLICY tenant_isolation ON {table} USING (true) WITH CHECK (true)"

    with torn(opened, opened.replace("true", OWN)):
        code, document = verified("--check", f"attack.{check}", "--placement", "pool")

    assert code == BREACH
    assert "projects_project" in breaches(document)[f"attack.{check}"]


def test_verify_isolation__with_references_across_tenants__finds_them(platform, verified):
    pool = platform["pool"][0].context.schema
    table = f'"{pool}".projects_document'
    key = "projects_document_project"
    dropped = f"ALTER TABLE {table} DROP CONSTRAINT {key}"
    restored = (
        f"ALTER TABLE {table} ADD CONSTRAINT {key} FOREIGN KEY (tenant_id, project_id) "
        f'REFERENCES "{pool}".projects_project (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
    )

    with torn(dropped, restored):
        _, document = verified("--check", "attack.references", "--placement", "pool")

    assert "projects_document.project_id can point" in breaches(document)["attack.references"]


def test_verify_isolation__with_a_table_for_everybody__finds_it_without_a_context(verified):
    with torn("GRANT SELECT ON accounts_user TO PUBLIC", "REVOKE SELECT ON accounts_user FROM PUBLIC"):
        _, document = verified("--check", "attack.no-context", "--placement", "pool")

    assert "SELECT on public.accounts_user is possible without a context" in breaches(document)["attack.no-context"]


def test_verify_isolation__with_one_cache_for_all__reads_the_victims_key(verified, monkeypatch):
    monkeypatch.setattr(cache, "_owner", lambda: "shared")

    _, document = verified("--check", "attack.cache", "--placement", "pool")

    assert "the attacker read the victim's cache key" in breaches(document)["attack.cache"]


def test_verify_isolation__with_one_folder_for_all__opens_the_victims_file(verified, monkeypatch):
    shared = property(lambda self: f"{settings.MEDIA_ROOT}/tenants")
    monkeypatch.setattr(storage.TenantStorage, "base_location", shared)

    _, document = verified("--check", "attack.files", "--placement", "pool")

    assert "the attacker opened the victim's file" in breaches(document)["attack.files"]


def test_verify_isolation__with_a_role_that_outlives_its_transaction__finds_it(verified, monkeypatch):
    def lasting(role: str, path: str, tenant: str) -> context_statements.Prefix:
        kept = f"SET ROLE {role}" if role == APP_TENANT else f"SET LOCAL ROLE {role}"
        return context_statements.Prefix(f"{kept};SET LOCAL search_path={path};SET LOCAL app.tenant_id='{tenant}';", 3)

    monkeypatch.setattr(context_statements, "_set_local", lasting)
    try:
        _, document = verified("--check", "attack.connection-reuse", "--placement", "pool")
    finally:
        connections["default"].close()

    assert "the connection kept a role or tenant" in breaches(document)["attack.connection-reuse"]


def test_verify_isolation__with_a_task_of_no_context__names_it(verified):
    stray = Stray()
    current_app.tasks.register(stray)
    try:
        _, document = verified("--check", "attack.task-senders", "--placement", "pool")
    finally:
        current_app.tasks.unregister(stray)

    assert "tests.stray is bound to no context" in breaches(document)["attack.task-senders"]


def test_verify_isolation__with_a_route_that_breaks_down__proves_nothing(verified, leaking):
    leaking("broken")

    code, document = verified("--check", "attack.foreign-ids", "--placement", "pool")

    assert (code, document["result"]) == (NOT_POSSIBLE, "could not run")
    assert "GET leak answered 500 (ZeroDivisionError" in document["checks"][0]["evidence"][0]


def test_verify_isolation__without_anything_to_find__says_that_it_proved_nothing(verified, monkeypatch):
    monkeypatch.setattr("apps.assurance.attacks.visitor.RouteAnswer.shows", lambda *_: False)

    code, document = verified("--check", "attack.bait", "--placement", "pool")

    assert (code, document["result"]) == (NOT_POSSIBLE, "could not run")


# -- clearing up -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pool", "schema", "database"])
def test_probes__that_a_killed_run_left__are_removed_by_the_next(verified, kind):
    before = traces()
    targets.create_pair(kind)
    assert traces() != before

    verified("--check", "catalog.keys")

    assert traces() == before


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.05, 0.2, 0.4, 0.7, 1.1, 1.6])
def test_verify_isolation__killed_at_some_moment__is_cleared_up_by_the_next(verified, delay):
    before = traces()
    with control("look at the log"):
        known = ControlEvent.objects.count()
    command = [sys.executable, "manage.py", "verify_isolation", "--check", "attack.cache"]
    with subprocess.Popen(command, env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings_test"}) as process:
        while process.poll() is None and not _recorded_since(known):
            time.sleep(0.01)
        time.sleep(delay)
        process.kill()
    time.sleep(1)  # for the server to end what the killed process had it do

    code, _ = verified("--check", "catalog")

    assert code == HELD
    assert traces() == before


def _recorded_since(known: int) -> bool:
    with control("look at the log"):
        return ControlEvent.objects.count() > known


def test_verify_isolation__stopped_in_the_middle__removes_its_probes(platform, database, monkeypatch):
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before, cache_check = traces(), next(c for c in ATTACKS if c.id == "attack.cache")
    stopped = Check(cache_check.id, cache_check.wall, cache_check.title, "", "", stop)
    monkeypatch.setattr(services, "ATTACKS", [stopped])

    with pytest.raises(KeyboardInterrupt):
        call_command("verify_isolation", "--check", "attack.cache")

    assert traces() == before


def test_organization__that_is_no_probe__is_never_removed(platform, database, acme):
    with pytest.raises(IllegalTransition):
        removal.remove_probe(tenant_id=acme.tenant.id, actor=targets.ACTOR)

    assert removal.probes() == []


def test_probes__while_they_are_there__count_in_no_figure_and_get_no_mail(platform, database):
    def figures() -> list[Any]:
        with control("figures"):
            return [selectors.organizations(), selectors.sign_ups(2), selectors.members_per_tenant()]

    before = figures()
    pair = targets.create_pair("pool")
    try:
        assert figures() == before
        send_email_once(to=pair.victim.owner.email, template="welcome", context={}, key="none")
        assert mail.outbox == []
    finally:
        targets.clear()


# -- what cannot be done -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--check", "attack.moon"], "there is no check 'attack.moon'"),
        (["--placement", "moon"], "invalid choice: 'moon'"),
        (["--html", "/nowhere/report.html"], "cannot be written"),
        (["--html", "tests"], "cannot be written"),
        (["everything"], "unrecognized arguments"),
    ],
)
def test_verify_isolation__with_wrong_arguments__says_which(platform, database, arguments, words):
    with pytest.raises(CommandError, match=words) as caught:
        call_command("verify_isolation", *arguments)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["DATABASE_OWNER_URL", "DATABASE_OPERATOR_URL"])
def test_verify_isolation__without_credentials__cannot_run(platform, database, name):
    with override_settings(**{name: ""}), pytest.raises(CommandError, match=name) as caught:
        call_command("verify_isolation")

    assert caught.value.returncode == NOT_POSSIBLE


def test_verify_isolation__while_the_server_is_away__cannot_run(platform, database):
    nowhere = override_settings(DATABASE_OWNER_URL="postgres://a:b@127.0.0.1:1/none")

    with nowhere, pytest.raises(CommandError, match="OperationalError") as caught:
        call_command("verify_isolation")

    assert caught.value.returncode == NOT_POSSIBLE
    assert "\n" not in str(caught.value)


def test_verify_isolation__during_another_run__does_not_disturb_it(platform, database, monkeypatch):
    monkeypatch.setattr(targets, "LOCK_TIMEOUT", "200ms")

    with targets.alone(), pytest.raises(CommandError, match="Another run") as caught:
        call_command("verify_isolation")

    assert caught.value.returncode == NOT_POSSIBLE


# -- tools -------------------------------------------------------------------------------------------------------


class Stray(Task):  # type: ignore[misc]
    """A task that never heard of contexts."""

    name = "tests.stray"

    def run(self) -> None:
        return None


@contextmanager
def torn(make: str, mend: str, *, database: str = "tenantry") -> Iterator[None]:
    """A hole that only the server's administrator may be able to make, and that is mended in any case."""
    needs_superuser = "ROLE" in make or "OWNER TO" in make
    with as_superuser(database) as connection:
        if not needs_superuser:
            connection.execute(f"SET ROLE tenantry_owner; SET app.tenant_id = '{NIL_TENANT}'")
        connection.execute(make)
        try:
            yield
        finally:
            connection.execute(mend)


def as_superuser(database: str) -> psycopg.Connection[Any]:
    password = load_secrets(Path(settings_test._DATA_DIR))["postgres"]
    port = urlsplit(settings.DATABASE_URL).port
    return psycopg.connect(
        host="127.0.0.1", port=port, user="postgres", password=password, dbname=database, autocommit=True
    )


def _forget_routes() -> None:
    clear_url_caches()
    visitor.routes_of.cache_clear()


@pytest.fixture
def leaking(settings, monkeypatch) -> Iterator[Callable[[str], None]]:
    """Routes of a tenant's host with one more, the only one that is tried."""
    every = visitor.named_routes
    monkeypatch.setattr(
        visitor, "named_routes", lambda urlconf: (r for r in every(urlconf) if r[0] in ("leak", "None"))
    )

    def use(leak: str) -> None:
        sys.modules.pop("tests.support.leaking_urls", None)
        settings.TEST_LEAK = leak
        settings.ROOT_URLCONF = "tests.support.leaking_urls"
        _forget_routes()

    yield use
    settings.ROOT_URLCONF = "config.urls_tenant"
    _forget_routes()
