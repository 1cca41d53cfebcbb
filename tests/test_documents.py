"""What the documents say of the code is so."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path
from string import Template

import pytest
from django.core.management import get_commands
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer

from apps.core.scaffold import PARTS, Resource

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
WALK = {Template(part.file).substitute(Resource("task", "projects", "project").names) for part in PARTS}
MAIL = {"apps/projects/mails.py", "apps/projects/tasks.py", "templates/emails/task_assigned.txt"}
WRITTEN_BY_THE_READER = WALK | MAIL  # of docs/adding-a-feature.md


def layers() -> list[set[str]]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return [{name.strip() for name in layer.split("|")} for layer in contracts[0]["layers"]]


def test_diagram__in_the_readme__shows_the_linters_layers():
    diagram = re.search(r"```mermaid\n(.*?)```", README, re.S)[1]
    arrows = [line.split("-->") for line in diagram.splitlines() if "-->" in line]
    steps = {tuple(frozenset(p.strip() for p in part.split("&")) for part in line) for line in arrows}
    pairs = {(a, b) for line in steps for a, b in itertools.pairwise(line)}

    assert pairs == {(frozenset(a), frozenset(b)) for a, b in itertools.pairwise(layers())}
    applications = {p.name for p in (ROOT / "apps").iterdir() if p.is_dir() and p.name[0] != "_"}
    assert applications - {"stripe_sandbox"} == set().union(*layers())  # which stands apart


@pytest.mark.parametrize("path", [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md"], ids=lambda p: p.name)
def test_documents__name_only_files_and_links_that_exist(path):
    text = path.read_text()

    for target in re.findall(r"\]\(([^)#h][^)]*)\)", text):
        assert (path.parent / target).exists(), target
    for file in re.findall(r"`([a-z_]+/[\w/]+\.\w+)`", text):
        if file not in WRITTEN_BY_THE_READER:
            assert (ROOT / file).exists() or (ROOT / "apps" / file).exists(), file


def test_commands__named_in_the_documents__exist():
    for document in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]:
        for command in re.findall(r"manage\.py (\w+)", document.read_text()):
            assert command in get_commands(), command


def test_schema__in_the_documents__is_that_of_the_code():
    generator = SchemaGenerator(urlconf="config.urls_control")

    described = OpenApiYamlRenderer().render(generator.get_schema(public=True), renderer_context={}).decode()

    assert (ROOT / "docs/openapi.yaml").read_text() == described, "run `make schema`"


def test_requirements__all__have_a_row():
    rows = set(re.findall(r"^\| ([RB]\d+) \|", (ROOT / "docs/requirements.md").read_text(), re.M))

    assert rows == {f"R{n}" for n in range(1, 126) if n != 124} | {f"B{n}" for n in range(1, 9)}
