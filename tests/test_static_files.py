"""What of the collected files is served, by the web server and by Django, and what is not."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from django.conf import settings as configuration
from django.contrib.staticfiles import finders
from django.http import HttpResponse
from django.test import RequestFactory

from apps.core.static_files import SERVED, StaticFilesMiddleware, is_served
from config.server.static import StaticFiles

KEPT_BACK = {".map", ".txt", ".md", ".html", ".eot", ".json", ""}
PRIVATE = [
    "app.js.map",
    "app.0123456789ab.css.map",
    "app.js.map.gz",
    "staticfiles.json",
    "staticfiles.json.gz",
    "LICENSE",
    "README.txt",
    "notes.md",
    "page.html",
    ".env",
    "app.js.bak",
    "app.JS~",
]
PUBLIC = ["app.js", "app.0123456789ab.js", "app.css", "icon.svg", "font.woff2"]


@pytest.fixture
def collected(settings, tmp_path) -> Path:
    for name in [*PRIVATE, *PUBLIC]:
        (tmp_path / name).write_text("content")
    settings.STATIC_ROOT = str(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", PRIVATE)
def test_file__that_no_page_loads__is_not_served(collected, settings, name):
    assert f"/static/{name}" not in StaticFiles()
    assert not served_by_django(settings, name)


@pytest.mark.parametrize("name", PUBLIC)
def test_file__that_pages_load__is_served(collected, settings, name):
    assert f"/static/{name}" in StaticFiles()
    assert served_by_django(settings, name)


def served_by_django(settings, name: str) -> bool:
    """By its middleware, with the table that is made at the start and with DEBUG's search."""
    found = set()
    for settings.WHITENOISE_AUTOREFRESH in (False, True):
        settings.WHITENOISE_USE_FINDERS = False
        handler = StaticFilesMiddleware(lambda request: HttpResponse(status=404))
        found.add(handler(RequestFactory().get(f"/static/{name}")).status_code == 200)
    (answer,) = found
    return answer


@pytest.mark.parametrize("name", PUBLIC)
def test_file__in_each_coding__has_a_tag_of_its_own(collected, name):
    (collected / f"{name}.gz").write_bytes(gzip.compress(b"content" * 9))
    (collected / name).write_bytes(b"content" * 9)
    handler = StaticFilesMiddleware(lambda request: HttpResponse(status=404))

    def answer(coding: str, known: str = '"x"') -> Any:
        return handler(
            RequestFactory().get(f"/static/{name}", headers={"Accept-Encoding": coding, "If-None-Match": known})
        )

    plain, compressed = answer("identity"), answer("gzip")

    assert (compressed["Content-Encoding"], "Content-Encoding" in plain) == ("gzip", False)
    assert plain["ETag"] != compressed["ETag"]
    assert plain["Vary"] == compressed["Vary"] == "Accept-Encoding"
    for coding, other in (("identity", compressed), ("gzip", plain)):
        assert answer(coding, other["ETag"]).status_code == 200
        own = answer(coding)["ETag"]
        unchanged = answer(coding, f"W/{own}")
        assert (unchanged.status_code, unchanged["ETag"], unchanged["Vary"]) == (304, own, "Accept-Encoding")


def kinds() -> Iterator[str]:
    for finder in finders.get_finders():
        yield from (PurePosixPath(path).suffix for path, _ in finder.list([]))


def test_kinds__of_all_files_that_are_collected__are_decided_on():
    undecided = set(kinds()) - SERVED - KEPT_BACK

    assert not SERVED & KEPT_BACK
    assert not undecided, "add it to apps/core/static_files.py:SERVED or to KEPT_BACK"


def test_files__that_templates_name__are_served():
    templates = Path(configuration.BASE_DIR, "templates").rglob("*.html")
    named = {name for file in templates for name in re.findall(r"""{% static ['"]([^'"]+)""", file.read_text())}

    assert named
    assert [name for name in named if not is_served(name)] == []
