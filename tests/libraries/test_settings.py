"""What settings of Django and django-tenants would ask of the engine and it does not do."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import NotSupportedError, connections
from django.db.backends.postgresql.base import ServerBindingCursor
from psycopg import ClientCursor

from apps.projects.models import Project
from apps.tenancy.context import CONTROL_ALIAS
from apps.tenancy.postgresql.base import ContextCursor, DatabaseWrapper


class OwnCursor(ContextCursor):
    pass


def params_with(**options: Any) -> dict[str, Any]:
    database = connections.databases[CONTROL_ALIAS]
    wrapper = DatabaseWrapper({**database, "OPTIONS": {**database["OPTIONS"], **options}}, CONTROL_ALIAS)
    return wrapper.get_connection_params()


@pytest.mark.parametrize(
    ("factory", "hint"), [(ServerBindingCursor, "take it out of OPTIONS"), (ClientCursor, "made of ContextCursor")]
)
def test_cursor_factory__without_the_context__is_refused_with_what_to_do(factory, hint):
    with pytest.raises(NotSupportedError, match=hint):
        params_with(cursor_factory=factory)


def test_cursor_factory__made_of_ours__is_taken():
    assert params_with(cursor_factory=OwnCursor)["cursor_factory"] is OwnCursor


def test_multi_type_tenants__are_refused_by_the_system_check(platform, database, settings):
    settings.HAS_MULTI_TYPE_TENANTS = True
    settings.TENANT_TYPES = {"public": {"APPS": []}}

    with pytest.raises(CommandError, match="all tenants have the same tables"):
        call_command("check")


def test_atomic_requests__are_refused_by_the_system_check(platform, database, monkeypatch):
    monkeypatch.setitem(connections.databases[CONTROL_ALIAS], "ATOMIC_REQUESTS", True)

    with pytest.raises(CommandError, match=r"transaction\.atomic"):
        call_command("check")


def test_iterator__in_a_tenant__needs_no_named_cursor(home):
    with home.inside():
        Project.objects.create(name="there")
        assert [project.name for project in Project.objects.iterator(chunk_size=1)] == ["there"]


def test_settings__of_a_module_outside_config__are_imported(tmp_path):
    (tmp_path / "elsewhere.py").write_text("from config.settings import *\nOWN = True\n")
    program = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); os.environ['DJANGO_SETTINGS_MODULE'] = 'elsewhere'; "
        "import django; django.setup(); from django.conf import settings; assert settings.OWN"
    )

    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
