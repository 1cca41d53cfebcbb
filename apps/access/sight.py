"""What may be told of a thing by those who are not asked about it itself, such as the audit log: what its own rights
allow.

Each app declares for its private things which of them a subject sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from django.db import models

from .subjects import Subject

Rule = Callable[[Subject, set[UUID]], set[UUID]]
Named = tuple[str, str]

_rules: dict[str, Rule] = {}  # by the type under which the thing is recorded


def sight_of(model: type[models.Model]) -> Callable[[Rule], Rule]:
    """Declare which of some things of a model a subject sees; what is gone is seen by those who see everything."""

    def declare(rule: Rule) -> Rule:
        _rules[str(model._meta.model_name)] = rule
        return rule

    return declare


def declared() -> set[str]:
    return set(_rules)


def hidden_from(subject: Subject, things: Iterable[Named]) -> set[Named]:
    """Those of the things, each a type and an id, whose names and contents the subject may not be told."""
    asked: dict[str, set[UUID]] = {}
    for kind, thing_id in things:
        if kind in _rules and thing_id:
            asked.setdefault(kind, set()).add(UUID(thing_id))
    return {(kind, str(thing_id)) for kind, ids in asked.items() for thing_id in ids - _rules[kind](subject, ids)}
