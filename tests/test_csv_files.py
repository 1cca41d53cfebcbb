"""Every file of CSV says how it is encoded, twice, and no cell of it is run."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command

from apps.core import csv_files
from tests.support.clients import API, Program, issue
from tests.support.factories import add_project

DESCRIBED = yaml.safe_load((Path(settings.BASE_DIR) / "docs/openapi.yaml").read_text())["paths"]
ROUTES = [path for path, methods in DESCRIBED.items() if "text/csv" in str(methods.get("get", {}).get("responses"))]
APPS = Path(settings.BASE_DIR) / "apps"


def test_code__that_writes_csv__is_one():
    writing = {str(path.relative_to(APPS)) for path in APPS.rglob("*.py") if "import csv\n" in path.read_text()}

    assert writing == {"core/csv_files.py"}
    assert [f"{API}/audit/export"] == ROUTES


@pytest.mark.parametrize("path", ROUTES)
def test_route__of_csv__says_how_it_is_encoded(acme, path):
    add_project(acme, "=HYPERLINK(Zürich)")

    answer = Program(acme.host, issue(acme).access).get(f"{path}?format=csv")

    content = b"".join(answer.streaming_content)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert content.startswith(b"\xef\xbb\xbf")
    assert "Zürich" in content.decode()


def test_command__that_writes_csv__marks_it(acme, capsys):
    call_command("export_audit_log", tenant=acme.tenant.slug)

    assert capsys.readouterr().out.startswith('\ufeff"id"')


FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "＝1",
    "\u200b=1",
    "a\n=1",
    "\ufeff=1",
    "a;=1",
    "a\t=1",
    '"=1',
    'a;"=1',
]


@pytest.mark.parametrize("cell", FORMULAS)
def test_cell__that_would_be_run__is_shown(cell):
    written = b"".join(csv_files.written(["name"], [[cell]])).decode("utf-8-sig")
    (row,) = list(csv.reader(io.StringIO(written, newline="")))[1:]

    assert "'" in row[0]
    assert row[0].replace("'", "") == cell
