"""Each command that Django or a library brings, in each context: it works, or says in a sentence what does."""

from __future__ import annotations

import json
import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.db import connections

from apps.projects.models import Project
from apps.tenancy.context import CONTROL_ALIAS, control, use
from apps.tenants.management.commands.tenant_command import Command as TenantCommand
from apps.tenants.models import Tenant, TenantDatabase
from apps.tenants.stock_commands import NEED_CONTEXT, NEED_CONTROL, REFUSED, name_of
from tests.support.completeness import assert_complete

NOWHERE, TENANTS, CONTROL = "no context", ("pool", "schema", "database"), "the control plane"
PLACES = (NOWHERE, *TENANTS, CONTROL)
EVERYWHERE, IN_CONTEXT = frozenset(PLACES), frozenset({*TENANTS, CONTROL})


@dataclass(frozen=True)
class Case:
    """How a command is tried, where it works, and what it then says; elsewhere it is refused."""

    arguments: list[str] = field(default_factory=list)
    works: frozenset[str] = EVERYWHERE
    says: str = ""


def refused() -> Case:
    return Case(works=frozenset())


CASES: dict[str, Case] = {
    "account_unsetmultipleprimaryemails": Case(works=frozenset({CONTROL})),
    "all_tenants_command": Case(["check"], frozenset()),
    "changepassword": refused(),
    "check": Case(says="no issues"),
    "clone_tenant": refused(),
    "collectstatic": Case(["--dry-run", "--noinput"], says="static file"),
    "collectstatic_schemas": refused(),
    "create_domain": refused(),
    "create_missing_schemas": refused(),
    "create_tenant": refused(),
    "create_tenant_superuser": refused(),
    "createcachetable": refused(),
    "createsuperuser": refused(),
    "dbshell": Case(works=IN_CONTEXT),
    "delete_domain": refused(),
    "delete_tenant": refused(),
    "diffsettings": Case(says="AUTH_USER_MODEL"),
    "dumpdata": Case(works=IN_CONTEXT, says='"model"'),
    "findstatic": Case(["images/staff.svg"], says="staff.svg"),
    "flush": Case(["--noinput"], frozenset()),
    "generateschema": refused(),
    "inspectdb": Case(works=IN_CONTEXT, says="class "),
    "loaddata": Case(["FILE"], frozenset(TENANTS), says="Installed 1 object"),
    "makemigrations": Case(["--check", "--dry-run"], says="No changes"),
    "migrate": refused(),
    "optimizemigration": Case(["projects", "0001", "--check"], says="No optimizations"),
    "remove_stale_contenttypes": Case(["--noinput"], works=frozenset({CONTROL})),
    "rename_schema": refused(),
    "sendtestemail": Case(["somebody@example.com"]),
    "shell": Case(["--command", "print('a shell')"], says="a shell"),
    "showmigrations": Case(works=IN_CONTEXT, says=r"\[X\] 0001_initial"),
    "spectacular": Case(["--file", "NEW"]),
    "sqlflush": refused(),
    "sqlmigrate": Case(["audit", "0001"], works=IN_CONTEXT, says="CREATE TABLE"),
    "sqlsequencereset": Case(["accounts"], says="setval"),
    "startapp": Case(["library", "FOLDER"]),
    "startproject": Case(["library", "FOLDER"]),
    "test": refused(),
    "testserver": refused(),
}
NOT_TRIED = {
    "compilemessages": "writes into the checkout, and knows no database",
    "makemessages": "writes into the checkout, and knows no database",
    "runserver": "runs until it is stopped",
    "squashmigrations": "writes into the checkout, and knows no database",
}


def brought() -> dict[str, str]:
    """The commands that are not ours."""
    return {name: app for name, app in get_commands().items() if not app.startswith("apps.")}


def test_commands__from_the_registry__are_all_tried():
    assert_complete([*CASES, *NOT_TRIED], brought(), table="tests/libraries/test_commands.py:CASES")


def test_rules__about_commands__are_about_those_there_are():
    loaded = {name_of(load_command_class(app, name)) for name, app in brought().items()}

    assert_complete(
        [*REFUSED, *NEED_CONTEXT, *NEED_CONTROL],
        loaded & {*REFUSED, *NEED_CONTEXT, *NEED_CONTROL},
        table="apps/tenants/stock_commands.py",
    )


@dataclass(frozen=True)
class Prepared:
    file: Path
    shells: list[Any]


@pytest.fixture
def prepared(platform, database, tmp_path, monkeypatch) -> Prepared:
    """Rows to dump, a file to load; psql is not started."""
    made = Prepared(tmp_path / "file.json", [])
    monkeypatch.setattr("subprocess.run", lambda args, **options: made.shells.append((args, options["env"])))
    for kind in TENANTS:
        with platform[kind][0].inside():
            Project.objects.create(name="there")
    row = {"name": "loaded", "created_at": "2026-01-01T00:00Z", "updated_at": "2026-01-01T00:00Z"}
    made.file.write_text(json.dumps([{"model": "projects.project", "fields": row}]))
    return made


def call_as_process(name: str, *arguments: str) -> None:
    """As manage.py does it, which says in a sentence what code would be given as the error it is."""
    command = load_command_class(get_commands()[name], name)
    command._called_from_command_line = True
    call_command(command, *arguments)


def entered(platform: Any, place: str) -> AbstractContextManager[Any]:
    if place == NOWHERE:
        return nullcontext()
    return control("test") if place == CONTROL else platform[place][0].inside()


@pytest.mark.parametrize("name", CASES)
def test_command__in_each_context__works_or_says_what_does(platform, prepared, capsys, tmp_path, name):
    case = CASES[name]

    for place in PLACES:  # one test for a command: it is putting the databases back that takes time
        folder = tmp_path / place.replace(" ", "_")
        folder.mkdir()
        paths = {"FILE": str(prepared.file), "FOLDER": str(folder), "NEW": str(folder / "new")}
        arguments = [paths.get(argument, argument) for argument in case.arguments]
        with entered(platform, place):
            if place in case.works:
                call_as_process(name, *arguments)
                captured = capsys.readouterr()
                assert re.search(case.says, captured.out + captured.err), place
                assert bool(prepared.shells) == (name == "dbshell")
            else:
                with pytest.raises(CommandError) as caught:
                    call_as_process(name, *arguments)
                said = str(caught.value)
                assert "\n" not in said, place
                assert re.search(r"manage\.py|make |/sign-in/|Redis|stays|context", said), (place, said)


@pytest.mark.parametrize("kind", TENANTS)
def test_dump__of_one_organization__is_loaded_into_it_again(platform, database, tmp_path, kind):
    organization, path = platform[kind][0], tmp_path / "dump.json"
    with organization.inside():
        project = Project.objects.create(name="kept")

    tenant_command("dumpdata", "projects", "--output", str(path), schema_name=organization.tenant.slug)
    with organization.inside():
        Project.objects.all().delete()
    tenant_command("loaddata", str(path), schema_name=organization.tenant.schema_name)

    with organization.inside():
        assert Project.objects.get() == project


def test_dump__of_the_control_plane__has_its_rows(platform, database, capsys):
    tenant_command("dumpdata", "tenants.Tenant", schema_name="public")

    assert len(json.loads(capsys.readouterr().out)) == count_of_tenants()


def tenant_command(*arguments: str, schema_name: str) -> None:
    with use(None):  # it leaves the context that it has entered to whoever called it
        call_command("tenant_command", *arguments, schema_name=schema_name)


def count_of_tenants() -> int:
    with control("count"):
        return Tenant.objects.count()


def test_dump__of_something_encrypted__is_loaded_as_it_was(platform, database, tmp_path):
    path = tmp_path / "dump.json"
    with control("look"):
        before = TenantDatabase.objects.get(tenant=platform["database"][0].tenant)

    tenant_command("dumpdata", "tenants.TenantDatabase", "--output", str(path), schema_name="public")
    tenant_command("loaddata", str(path), schema_name="public")

    with control("look"):
        after = TenantDatabase.objects.get(id=before.id)
    assert after.url.reveal() == before.url.reveal()
    assert before.url.reveal() not in path.read_text()


WRONG_PLANE = [("schema", "tenants.Tenant", "--schema public"), ("public", "projects", "--schema SLUG")]


@pytest.mark.parametrize(("where", "label", "hint"), WRONG_PLANE)
def test_dump__of_the_other_plane__is_refused(platform, database, where, label, hint):
    name = where if where == "public" else platform[where][0].tenant.slug

    with pytest.raises(CommandError, match=hint):
        tenant_command("dumpdata", label, schema_name=name)


def test_load__of_rows_of_the_other_plane__is_refused(platform, prepared):
    with pytest.raises(CommandError, match="needs a tenant context"):
        tenant_command("loaddata", str(prepared.file), schema_name="public")


@pytest.mark.parametrize("kind", TENANTS)
def test_dbshell__in_a_tenant__is_in_its_context(platform, prepared, kind):
    organization = platform[kind][0]
    with organization.inside():
        call_command("dbshell")
    [(arguments, environment)] = prepared.shells
    alias = connections[organization.context.alias].settings_dict

    assert arguments[-1] == alias["NAME"]
    with psycopg.connect(
        host=alias["HOST"],
        port=alias["PORT"],
        user=alias["USER"],
        password=alias["PASSWORD"],
        dbname=alias["NAME"],
        options=environment["PGOPTIONS"],
    ) as opened:
        assert opened.execute("SELECT name FROM projects_project").fetchall() == [("there",)]


@pytest.mark.parametrize("kind", TENANTS)
def test_tenant_command__as_it_is_called_from_a_shell__uses_the_tenants_database(platform, prepared, capsys, kind):
    slug = platform[kind][0].tenant.slug

    TenantCommand().run_from_argv(["manage.py", "tenant_command", "dumpdata", "projects", "--schema", slug])

    assert [row["fields"]["name"] for row in json.loads(capsys.readouterr().out)] == ["there"]


WRONG = [
    [],
    ["--schema", "schema-home"],
    ["nonsense", "--schema", "schema-home"],
    ["dumpdata", "--schema", "nobody"],
    ["dumpdata"],
    ["flush", "--schema", "schema-home"],
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_tenant_command__called_wrongly__ends_with_a_sentence(platform, database, monkeypatch, capsys, arguments):
    monkeypatch.setattr("sys.stdin", StringIO())

    with pytest.raises(SystemExit) as ended:
        TenantCommand().run_from_argv(["manage.py", "tenant_command", *arguments])

    assert ended.value.code
    assert "Traceback" not in capsys.readouterr().err
    assert CONTROL_ALIAS in connections.databases
