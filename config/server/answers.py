"""The answers of a WSGI application, made whole: in memory, or in a file once they are long."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from .limits import ANSWER, MEMORY, PIECE
from .messages import Answer, Environ, Headers, close

LEFT_SECONDS = 60.0  # after which a file that is still there is one of a process that was killed
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class AnswerTooLong(Exception):
    """An application answered with more than anybody is sent."""


class Answers:
    """Asks the application; files are made in ``folder``, and who sends one removes it."""

    def __init__(self, application: Application, folder: Path) -> None:
        self._application, self._folder = application, folder

    def of(self, environ: Environ) -> Answer:
        """The whole answer, drained in the thread that began it. Raises AnswerTooLong."""
        begun: list[Any] = []
        response = self._application(environ, lambda *arguments: begun.extend(arguments))
        try:
            content, size = self._drained(iter(response))
        finally:
            close(response)
        status, headers = int(begun[0].partition(" ")[0]), [(name.lower(), value) for name, value in begun[1]]
        if isinstance(content, Path):
            headers = _with_length(headers, size)
        return Answer(status, headers, content)

    def clear_left_files(self) -> None:
        for path in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > LEFT_SECONDS:
                    path.unlink()

    def _drained(self, pieces: Iterator[bytes]) -> tuple[bytes | Path, int]:
        memory = bytearray()
        for piece in pieces:
            memory += piece
            if len(memory) > MEMORY:
                return self._in_file(memory, pieces)
        return bytes(memory), len(memory)

    def _in_file(self, first: bytearray, pieces: Iterator[bytes]) -> tuple[Path, int]:
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False, buffering=PIECE) as file:
            try:
                return Path(file.name), _written(file, first, pieces)
            except BaseException:
                Path(file.name).unlink()
                raise


def _written(file: IO[bytes], first: bytearray, pieces: Iterator[bytes]) -> int:
    size = file.write(first)
    for piece in pieces:
        size += file.write(piece)
        if size > ANSWER:
            raise AnswerTooLong(size)
    return size


def _with_length(headers: Headers, size: int) -> Headers:
    return [*(header for header in headers if header[0] != "content-length"), ("content-length", str(size))]
