"""The types that Stripe's annotations are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Scalar:
    """`name` is str, int, bool, float, Decimal or Any."""

    name: str


@dataclass(frozen=True)
class Choice:
    """One of the values of a Literal."""

    values: tuple[str | bool | int, ...]


@dataclass(frozen=True)
class ListOf:
    item: Type


@dataclass(frozen=True)
class MapOf:
    """Free keys, as in metadata."""

    item: Type


@dataclass(frozen=True)
class PageOf:
    """A list object: has `data`, `has_more` and `url`."""

    item: Type


@dataclass(frozen=True)
class Expandable:
    """An id that may be expanded into the object."""

    item: Type


@dataclass(frozen=True)
class OneOf:
    options: tuple[Type, ...]


@dataclass(frozen=True)
class Record:
    """A class of a module, by its qualified name; `annotations.fields` reads what is in it."""

    module: str
    name: str


Type: TypeAlias = Scalar | Choice | ListOf | MapOf | PageOf | Expandable | OneOf | Record


@dataclass(frozen=True)
class Field:
    type: Type
    required: bool
    """In parameters: must be given. In objects: is never null."""
