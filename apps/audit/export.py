"""The log as a file, made piece by piece."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from .selectors import AuditEntry

ROWS_PER_PIECE = 200
HEADER = [field.name for field in fields(AuditEntry)]

_BLANK = r"(?:[^\S\r\n]|[\x00-\x08\x0e-\x1f\ufeff\u200b-\u200f\u2060])*"
_FORMULA = re.compile(rf"(?:\A|(?<=[\r\n]))(?={_BLANK}[=+\-@＝＋－＠])|\A(?=[\t\r\n])")


def as_csv(entries: Iterable[AuditEntry]) -> Iterator[bytes]:
    """CSV with a header row; no cell is taken for a formula by a spreadsheet."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerow(HEADER)
    for number, entry in enumerate(entries, start=1):
        writer.writerow([harmless(_text(getattr(entry, name))) for name in HEADER])
        if number % ROWS_PER_PIECE == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def as_json_lines(entries: Iterable[AuditEntry]) -> Iterator[bytes]:
    for entry in entries:
        yield json.dumps(asdict(entry), default=_text).encode() + b"\n"


def harmless(cell: str) -> str:
    """A cell that spreadsheets show instead of running: OWASP's apostrophe, on every line of the cell."""
    return _FORMULA.sub("'", cell)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return json.dumps(value, sort_keys=True, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()
