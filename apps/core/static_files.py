"""Which of the collected files are anybody's: what a page may load, and nothing that came along with it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any

from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]
from whitenoise.responders import NOT_ALLOWED_RESPONSE, Response, StaticFile  # type: ignore[import-untyped]

from .preconditions import names

READING = ("GET", "HEAD")
SERVED = frozenset({".css", ".js", ".svg", ".png", ".ico", ".jpg", ".webp", ".woff", ".woff2", ".ttf"})


class WholeFile:
    """One of WhiteNoise's files: answered whole, whatever part is asked for, with a tag for each of its codings.

    Compressed it is another representation (RFC 9110, sections 8.8.3.3 and 14.2).
    """

    def __init__(self, file: StaticFile) -> None:
        self._file = file

    def get_response(self, method: str, asked: Mapping[str, str]) -> Response:
        if method not in READING:
            return NOT_ALLOWED_RESPONSE
        path, given = self._file.get_path_and_headers(asked)
        headers = {**dict(given), "Accept-Ranges": "none"}
        headers["ETag"] = _tag_of(headers)
        if self._is_known(asked, headers["ETag"]):
            return StaticFile.get_not_modified_response(headers)
        return Response(HTTPStatus.OK, list(headers.items()), open(path, "rb") if method == "GET" else None)

    def _is_known(self, asked: Mapping[str, str], tag: str) -> bool:
        known = asked.get("HTTP_IF_NONE_MATCH")
        return bool(self._file.is_not_modified(asked)) if known is None else names(known, tag)


def _tag_of(headers: Mapping[str, str]) -> str:
    coding = headers.get("Content-Encoding")
    return f'{headers["ETag"][:-1]}-{coding}"' if coding else headers["ETag"]


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """WhiteNoise, for the kinds of files that are served: no source maps, manifest, notes."""

    def get_static_file(self, path: str, url: str, stat_cache: Any = None) -> WholeFile:
        return WholeFile(super().get_static_file(path, url, stat_cache=stat_cache))

    def add_file_to_dictionary(self, url: str, path: str, stat_cache: Any = None) -> None:
        if is_served(url):
            super().add_file_to_dictionary(url, path, stat_cache=stat_cache)

    def find_file(self, url: str) -> Any:
        """What DEBUG looks for anew each time."""
        return super().find_file(url) if is_served(url) else None


def is_served(url: str) -> bool:
    return PurePosixPath(url).suffix in SERVED
