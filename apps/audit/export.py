"""The log as a file, made piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from apps.core import csv_files

from .selectors import AuditEntry

HEADER = [field.name for field in fields(AuditEntry)]


def as_csv(entries: Iterable[AuditEntry]) -> Iterator[bytes]:
    """CSV with a header row."""
    return csv_files.written(HEADER, ([_text(getattr(entry, name)) for name in HEADER] for entry in entries))


def as_json_lines(entries: Iterable[AuditEntry]) -> Iterator[bytes]:
    for entry in entries:
        yield json.dumps(asdict(entry), default=_text).encode() + b"\n"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return json.dumps(value, sort_keys=True, ensure_ascii=False) if isinstance(value, dict) else str(value)
