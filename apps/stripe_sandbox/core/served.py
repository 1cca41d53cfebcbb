"""Which parameters an operation serves, in a small notation: `name address items{price quantity}`.

A name serves all that is in it; a name with braces serves only what is in the braces.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from apps.stripe_sandbox.contract.annotations import fields
from apps.stripe_sandbox.contract.types import Choice, ListOf, OneOf, PageOf, Record, Type
from apps.stripe_sandbox.core.errors import not_served

Tree: TypeAlias = "dict[str, Tree | None]"
WORD = re.compile(r"\w+|[{}]")


def parse(notation: str) -> Tree:
    """The tree of names; None where all of it is served."""
    root: Tree = {"expand": None}
    stack, last = [root], ""
    for word in WORD.findall(notation):
        if word == "{":
            inner: Tree = {}
            stack[-1][last] = inner
            stack.append(inner)
        elif word == "}":
            stack.pop()
        else:
            stack[-1].setdefault(word, None)
            last = word
    return root


def refuse_others(values: Any, tree: Tree | None, path: str = "") -> None:
    """Refuse the first parameter that Stripe knows and this operation does not serve."""
    if tree is None:
        return
    if isinstance(values, list):
        for index, value in enumerate(values):
            refuse_others(value, tree, f"{path}[{index}]")
    elif isinstance(values, dict):
        for name, value in values.items():
            param = f"{path}[{name}]" if path else name
            if name not in tree:
                raise not_served(f"the parameter `{param}`", param)
            refuse_others(value, tree[name], param)


def unknown_names(tree: Tree, record: Record | None, path: str = "") -> list[str]:
    """Names in a notation that stripe-python does not know: mistakes of ours."""
    if record is None:
        return [f"{path}{name}" for name in tree if name != "expand"]
    declared, wrong = fields(record), []
    for name, inner in tree.items():
        if name not in declared:
            wrong += [f"{path}{name}"] if name != "expand" or path else []
        elif inner is not None:
            wrong += unknown_names(inner, record_in(declared[name].type), f"{path}{name}.")
    return wrong


def record_in(type_: Type) -> Record | None:
    """The record that a type has inside, as an item of a list or as one of its options."""
    if isinstance(type_, Record):
        return type_
    if isinstance(type_, (ListOf, PageOf)):
        return record_in(type_.item)
    if isinstance(type_, OneOf):
        return next(
            (found for option in type_.options if not isinstance(option, Choice) and (found := record_in(option))), None
        )
    return None
