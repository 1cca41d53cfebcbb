"""Templates stay legible, and have no part that no page shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

TEMPLATES = Path(settings.BASE_DIR, "templates")
SOURCES = sorted(path for path in TEMPLATES.rglob("*") if path.is_file())
COMPONENTS = sorted(TEMPLATES.joinpath("cotton").glob("*.html"))
SPECIMENS = TEMPLATES / "workspace" / "components.html"  # shows what there is, and is no use of it
LONGEST = 160


def name_of(path: Path) -> str:
    return str(path.relative_to(TEMPLATES))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_template__has_no_line_that_does_not_fit_a_screen(path):
    lines = enumerate(path.read_text().splitlines(), 1)

    long = [
        f"templates/{name_of(path)}:{number}: {len(line)} characters" for number, line in lines if len(line) > LONGEST
    ]

    assert long == []


@pytest.mark.parametrize("component", COMPONENTS, ids=name_of)
def test_component__is_used_by_a_page(component):
    tag = re.compile(rf"<c-{component.stem.replace('_', '-')}[\s>/]")

    users = [name_of(path) for path in SOURCES if path not in (component, SPECIMENS) and tag.search(path.read_text())]

    assert users, f"no template has <c-{component.stem.replace('_', '-')}>"
