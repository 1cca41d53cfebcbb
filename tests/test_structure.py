"""The code as a house: one name for one thing, and rooms that are where the documents say."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path
from string import Template

from apps.core.scaffold import NEW, PARTS, Resource

ROOT = Path(__file__).resolve().parents[1]
IN_EVERY_APP = {"Command", "Migration"}  # Django finds them by their names
APART = {"stripe_sandbox"}  # a program of its own


def modules() -> list[Path]:
    return [path for path in (ROOT / "apps").rglob("*.py") if path.relative_to(ROOT / "apps").parts[0] not in APART]


def test_classes__of_all_apps__have_names_of_their_own():
    found: dict[str, list[str]] = defaultdict(list)
    for path in modules():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and node.name not in IN_EVERY_APP:
                found[node.name].append(str(path.relative_to(ROOT)))

    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def test_architecture__names_every_app():
    table = (ROOT / "docs" / "architecture.md").read_text()

    missing = [p.name for p in (ROOT / "apps").iterdir() if p.is_dir() and f"`{p.name}`" not in table]

    assert [name for name in missing if not name.startswith("_")] == []


def test_glossary__is_in_order_and_has_each_word_once():
    text = (ROOT / "docs" / "glossary.md").read_text()
    words = [line.split("|")[1].strip().casefold() for line in text.splitlines()[4:] if line.startswith("| ")][1:]

    assert words == sorted(set(words))


def test_walk_through__names_each_file_that_the_scaffold_writes():
    text = (ROOT / "docs" / "adding-a-feature.md").read_text()
    named = re.findall(r"^\| `([^`]+)` \|.*\| (new|added to|[^|]+) \|$", text, re.M)
    names = Resource("task", "projects", "project").names
    written = {Template(part.file).substitute(names): part.behind is NEW for part in PARTS}

    assert {file: how == "new" for file, how in named} == written
