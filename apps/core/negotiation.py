"""Which of the media types that there are is read and answered (RFC 9110, sections 8.3 and 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.utils.mediatypes import _MediaType

ANYTHING = "*/*"
CHARSETS = ("utf-8", "us-ascii")
QUALITY = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


class Negotiation(DefaultContentNegotiation):
    """REST framework's, which knows no quality of what is accepted, and reads a body of any type as JSON."""

    def select_parser(self, request: Any, parsers: Iterable[Any]) -> Any:
        given = _MediaType(request.content_type)
        if "*" in given.full_type or given.params.get("charset", CHARSETS[0]).lower() not in CHARSETS:
            return None
        return super().select_parser(request, parsers)

    def select_renderer(self, request: Any, renderers: Iterable[Any], format_suffix: str | None = None) -> Any:
        """The one that is wanted most, the first of those that are wanted alike. Raises NotAcceptable."""
        if request.META.get("HTTP_ACCEPT", ANYTHING) == ANYTHING:
            first = next(iter(renderers))
            return first, first.media_type
        accepted = [_MediaType(media_type) for media_type in self.get_accept_list(request)]
        best = max(renderers, key=lambda renderer: _wish(renderer.media_type, accepted))
        if not _wish(best.media_type, accepted)[0]:
            raise NotAcceptable
        return best, best.media_type


def _wish(media_type: str, accepted: Sequence[Any]) -> tuple[float, int]:
    """How much it is wanted, from 0 to 1, and how precisely: what is said of it precisely counts."""
    written = _MediaType(media_type)
    wishes = [(one.precedence, _quality(one)) for one in accepted if written.match(one)]
    if "*" in media_type:  # what it will be, only the view knows
        return max((wish[::-1] for wish in wishes), default=(0.0, 0))
    return max(wishes, default=(0, 0.0))[::-1]


def _quality(media_type: Any) -> float:
    given = media_type.params.get("q", "1")
    return float(given) if QUALITY.fullmatch(given) else 1.0
