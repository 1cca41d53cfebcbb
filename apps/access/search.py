"""Finding things by a text: each app declares what it has to be found, in a module ``search``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from apps.core.errors import Text

from .subjects import Subject

HITS = 6


@dataclass(frozen=True)
class SearchHit:
    label: str
    detail: str
    icon: str
    url: str


@dataclass(frozen=True)
class SearchSource:
    """Things of one kind, under the heading they are shown by. ``find`` knows what the subject may see."""

    heading: Text
    find: Callable[[Subject, str], Iterable[SearchHit]]


_sources: dict[str, list[SearchSource]] = {}  # by the module that declares them


def searchable(heading: Text) -> Callable[[Callable[[Subject, str], Iterable[SearchHit]]], SearchSource]:
    """Declare a function that finds up to HITS things of one kind by a text that is not empty."""

    def declare(find: Callable[[Subject, str], Iterable[SearchHit]]) -> SearchSource:
        source = SearchSource(heading, find)
        _sources.setdefault(find.__module__, []).append(source)
        return source

    return declare


def hits_by_heading(subject: Subject, text: str) -> Iterator[tuple[str, list[SearchHit]]]:
    """What the subject may see of what is meant; what apps on higher floors have comes first."""
    for source in chain.from_iterable(reversed(_sources.values())):
        yield str(source.heading), list(source.find(subject, text))
