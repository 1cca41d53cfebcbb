"""Every decision record is complete, and listed."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path

import pytest

DECISIONS = Path(__file__).resolve().parents[1] / "docs/decisions"
INDEX = DECISIONS / "README.md"
TEMPLATE = DECISIONS / "template.md"
RECORDS = sorted(set(DECISIONS.iterdir()) - {INDEX, TEMPLATE})

SECTIONS = ("Status", "Context", "Decision", "Alternatives considered", "Consequences")
TITLE = re.compile(r"# (\d{4}) (\S.+)\n\n")
DATE = r"\d{4}-\d\d-\d\d"
STATES = r"Proposed|Accepted|Superseded by \[\d{4}\]\(\S+\.md\)"
STATUS = re.compile(rf"\*\*Status\.\*\* ({STATES}), ({DATE})(?:; amended {DATE}: [^;]+)*\n\n")

each_record = pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name)


def headings(text: str) -> list[str]:
    """The sections of a record in their order; one that has parts ("**Decision, pooler.**") counts once."""
    found = re.findall(rf"^\*\*({'|'.join(SECTIONS)})(?:, [\w ]+)?\.\*\*", text, re.M)
    return list(dict.fromkeys(found))


def section(text: str, heading: str) -> str:
    return re.split(r"^\*\*[A-Z]", text.split(f"**{heading}.**", 1)[1], maxsplit=1, flags=re.M)[0]


def test_records__are_numbered_in_sequence():
    assert RECORDS

    for number, path in zip(count(1), RECORDS, strict=False):
        assert re.fullmatch(rf"{number:04}-[a-z0-9-]+\.md", path.name), path.name


@each_record
def test_record__begins_with_number_title_and_a_dated_status(path):
    text = path.read_text()

    title = TITLE.match(text)

    assert title, "# NNNN Title"
    assert title[1] == path.name[:4]
    assert STATUS.match(text, title.end()), "**Status.** Accepted, YYYY-MM-DD, right under the title"


@pytest.mark.parametrize("path", [*RECORDS, TEMPLATE], ids=lambda path: path.name)
def test_record__has_all_sections_in_order(path):
    assert headings(path.read_text()) == list(SECTIONS)


@each_record
def test_record__names_two_to_four_alternatives_with_reasons(path):
    alternatives = section(path.read_text(), "Alternatives considered")

    items = re.findall(r"^- (.+(?:\n  .+)*)", alternatives, re.M)

    assert 2 <= len(items) <= 4
    for item in items:
        name, reason = re.fullmatch(r"\*([^*]+)\*(.*)", item, re.S).groups()
        assert len(reason.split()) > 5, f"why not: {name}"


@each_record
def test_index__lists_the_record_as_it_calls_itself(path):
    text = path.read_text()
    number, title = TITLE.match(text).groups()
    status, date = STATUS.search(text).groups()

    assert f"| [{number}]({path.name}) | {title} | {status} | {date} |" in INDEX.read_text().splitlines()


def test_index__lists_nothing_else():
    rows = re.findall(r"^\| \[\d{4}\]\((\S+)\) \|", INDEX.read_text(), re.M)

    assert rows == [path.name for path in RECORDS]


@pytest.mark.parametrize("path", [*RECORDS, TEMPLATE, INDEX], ids=lambda path: path.name)
def test_links__lead_to_files_that_exist(path):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        assert "://" in target or (path.parent / target).exists(), target
