"""Tables as CSV files that spreadsheets read as they are meant: in UTF-8, and never as formulas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

CONTENT_TYPE = "text/csv; charset=utf-8"
BYTE_ORDER_MARK = "\ufeff"  # without which spreadsheets guess how the file is encoded
ROWS_PER_PIECE = 200

_BLANK = r"(?:[^\S\r\n]|[\"\x00-\x08\x0e-\x1f\ufeff\u200b-\u200f\u2060])*"
_FORMULA = re.compile(rf"(?:\A|(?<=[\r\n;\t]))(?={_BLANK}[=+\-@＝＋－＠])|\A(?=[\t\r\n])")


def written(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """The file, made piece by piece."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    buffer.write(BYTE_ORDER_MARK)
    writer.writerow(header)
    for number, row in enumerate(rows, start=1):
        writer.writerow([harmless(cell) for cell in row])
        if number % ROWS_PER_PIECE == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def harmless(cell: str) -> str:
    """A cell that spreadsheets show instead of running: OWASP's apostrophe, on every line of the cell.

    So it is where a program begins a cell that separates them by semicolons or tabs, or reads quotes as they are.
    """
    return _FORMULA.sub("'", cell)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()
