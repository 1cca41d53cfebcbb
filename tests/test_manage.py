"""`manage.py` typed in a checkout: it finds the local installation, or says in one line what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands

from deploy.checkout import REQUIRED, is_left_to_checkout
from deploy.local.adopting import local_variables
from deploy.local.environment import Environment
from deploy.local.errors import LaunchError
from deploy.local.stored import remember_port


def manage(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py with these variables and no others."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], **environ},
        check=False,
    )


@pytest.fixture
def stopped(tmp_path) -> Path:
    """The DATA_DIR of an installation that does not run."""
    environment = Environment(tmp_path, {})
    for server in ("postgres", "valkey"):
        remember_port(environment.data_dir, server, 1)
    remember_port(environment.data_dir, "web", 8123)
    return environment.data_dir


@pytest.fixture
def running(stopped, monkeypatch) -> Path:
    monkeypatch.setattr(Environment, "runs", lambda _: True)
    return stopped


# -- which installation ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, True),
        ({"ENVIRONMENT": "development"}, True),
        ({"DJANGO_SETTINGS_MODULE": "config.settings"}, True),
        ({"ENVIRONMENT": "production"}, False),
        ({"ENVIRONMENT": "staging"}, False),
        ({"DJANGO_SETTINGS_MODULE": "config.settings_lint"}, False),
        *(({name: "set"}, False) for name in REQUIRED),
    ],
    ids=str,
)
def test_checkout__is_asked_only_where_nothing_else_is_named(stopped, environ, expected):
    assert is_left_to_checkout({"DATA_DIR": str(stopped), **environ}) == expected


def test_checkout__without_an_installation__is_not_asked_and_makes_none(tmp_path):
    assert not is_left_to_checkout({"DATA_DIR": str(tmp_path)})
    assert not list(tmp_path.iterdir())


def test_variables__of_an_installation_that_runs__are_those_of_its_processes(running):
    environ = {"DATA_DIR": str(running)}

    variables = local_variables(environ, ["list_tenants"])

    assert variables == Environment(running, {"PORT": "8123"}).variables()
    assert set(REQUIRED) < set(variables)
    assert (variables["PORT"], variables["ENVIRONMENT"]) == ("8123", "development")


def test_variables__of_an_installation_that_does_not_run__are_given_for_help_alone(platform, stopped):
    environ = {"DATA_DIR": str(stopped)}

    for name in get_commands():
        assert local_variables(environ, [name, "--help"])
        if name not in ("help", "version", "check", "makemigrations"):
            with pytest.raises(LaunchError, match="make run"):
                local_variables(environ, [name])


# -- as it is typed --------------------------------------------------------------------------------------------------


def test_command__in_the_checkout_of_an_installation_that_runs__works(platform):
    servers = Path(os.environ["DATA_DIR"])

    tenants, wrapped = (
        manage(*arguments, DATA_DIR=str(servers)) for arguments in (["list_tenants"], ["tenant_command", "--help"])
    )

    assert (tenants.returncode, wrapped.returncode) == (0, 0), tenants.stderr + wrapped.stderr
    assert "pool-home" in tenants.stdout
    assert "tenant_command NAME" in wrapped.stdout


@pytest.mark.parametrize(
    ("arguments", "environ", "words"),
    [
        (["list_tenants"], {}, "make run"),
        (["tenant_command", "--help"], {}, "make run"),
        (["check"], {"ENVIRONMENT": "production"}, "SECRET_KEY"),
        (["check"], {"SECRET_KEY": "a"}, "MASTER_KEYS"),
        (["check"], {"SECRET_KEY": "a", "MASTER_KEYS": "nonsense"}, "MASTER_KEYS"),
    ],
    ids=str,
)
def test_command__without_an_installation__ends_with_one_line(tmp_path, arguments, environ, words):
    ended = manage(*arguments, DATA_DIR=str(tmp_path), **environ)

    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1
    assert words in ended.stderr


def test_command__while_the_installation_is_stopped__ends_with_one_line(stopped):
    ended = manage("list_tenants", DATA_DIR=str(stopped))

    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "start it with" in ended.stderr
