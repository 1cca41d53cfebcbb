"""Which of the collected files are anybody's: what a page may load, and nothing that came along with it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]

SERVED = frozenset({".css", ".js", ".svg", ".png", ".ico", ".jpg", ".webp", ".woff", ".woff2", ".ttf"})


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """WhiteNoise, for the kinds of files that are served: no source maps, manifest, notes."""

    def add_file_to_dictionary(self, url: str, path: str, stat_cache: Any = None) -> None:
        if is_served(url):
            super().add_file_to_dictionary(url, path, stat_cache=stat_cache)

    def find_file(self, url: str) -> Any:
        """What DEBUG looks for anew each time."""
        return super().find_file(url) if is_served(url) else None


def is_served(url: str) -> bool:
    return PurePosixPath(url).suffix in SERVED
