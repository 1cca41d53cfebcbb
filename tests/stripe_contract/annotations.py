"""Answers against stripe-python's own classes, with Python's typing: shares no code with the sandbox, which must not
grade itself."""

from __future__ import annotations

import ast
import decimal
import inspect
import sys
import types
import typing
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import stripe
from stripe._object_classes import OBJECT_CLASSES


def gaps(value: Any) -> list[str]:
    """Where an answer, or an object in a list, is not what stripe-python says it is."""
    found: list[str] = []
    if isinstance(value, dict) and value.get("object") in ("list", "search_result"):
        for number, item in enumerate(value["data"]):
            _check_object(item, f"data[{number}]", found)
    else:
        _check_object(value, "", found)
    return found


def _check_object(value: Any, path: str, found: list[str]) -> None:
    if not isinstance(value, dict) or value.get("object") not in OBJECT_CLASSES:
        found.append(f"{path}: not an object of Stripe's: {str(value)[:60]}")
        return
    if value.get("deleted"):
        return
    module, name = OBJECT_CLASSES[value["object"]]
    _check_class(value, getattr(import_module(module), name), f"{path or value['object']}", found)


def _check_class(value: dict[str, Any], cls: type, path: str, found: list[str]) -> None:
    hints = _hints(cls)
    for name, hint in hints.items():
        if name in value:
            _check(value[name], hint, f"{path}.{name}", found)
        elif not _is_optional(hint):
            found.append(f"{path}.{name}: missing")
    found += [f"{path}.{name}: stripe-python knows no such field" for name in value if name not in hints]


def _check(value: Any, hint: Any, path: str, found: list[str]) -> None:
    """Check one value."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return
    check = _BY_ORIGIN.get(origin)
    if check:
        check(value, arguments, path, found)
    elif getattr(origin, "__name__", "") == "UntypedStripeObject":
        _check_map(value, arguments, path, found)
    elif inspect.isclass(hint):
        _check_plain(value, hint, path, found)
    else:
        found.append(f"{path}: a hint that is not understood: {hint!r}")


def _check_literal(value: Any, arguments: tuple[Any, ...], path: str, found: list[str]) -> None:
    if value not in arguments:
        found.append(f"{path}: {value!r} is none of {arguments[:8]}")


def _check_list(value: Any, arguments: tuple[Any, ...], path: str, found: list[str]) -> None:
    if not isinstance(value, list):
        found.append(f"{path}: no list: {value!r}")
        return
    for number, item in enumerate(value):
        _check(item, arguments[0], f"{path}[{number}]", found)


def _check_map(value: Any, arguments: tuple[Any, ...], path: str, found: list[str]) -> None:
    if not isinstance(value, dict):
        found.append(f"{path}: no mapping: {value!r}")


def _check_union(value: Any, options: tuple[Any, ...], path: str, found: list[str]) -> None:
    """One of the options must fit; what is said otherwise is about the last one that could."""
    if isinstance(value, str) and any(typing.get_origin(option) is typing.Literal for option in options):
        # `Union[Literal[…], str]` keeps old clients working; what Stripe sends today is in the list.
        options = tuple(option for option in options if option is not str)
    said: list[str] = []
    for option in options:
        trial: list[str] = []
        _check(value, option, path, trial)
        if not trial:
            return
        said = trial if option is not type(None) or not said else said
    found += said


def _check_page(value: Any, arguments: tuple[Any, ...], path: str, found: list[str]) -> None:
    if not isinstance(value, dict) or value.get("object") != "list" or not {"data", "has_more", "url"} <= set(value):
        found.append(f"{path}: no list object")
        return
    _check_list(value["data"], arguments, f"{path}.data", found)


def _check_plain(value: Any, hint: type, path: str, found: list[str]) -> None:
    if issubclass(hint, stripe.StripeObject) and isinstance(value, dict):
        if not value.get("deleted"):
            _check_class(value, hint, path, found)
    elif not _is_plain(value, hint):
        found.append(f"{path}: {value!r} is no {hint.__name__}")


def _is_plain(value: Any, hint: type) -> bool:
    if hint is decimal.Decimal:
        return isinstance(value, str) and decimal.Decimal(value).is_finite()
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return isinstance(value, hint)


_BY_ORIGIN: dict[Any, Any] = {
    typing.Union: _check_union,
    types.UnionType: _check_union,
    typing.Literal: _check_literal,
    list: _check_list,
    dict: _check_map,
    stripe.ListObject: _check_page,
}


def _is_optional(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType) and type(None) in typing.get_args(hint)


@cache
def _hints(cls: type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if not base.__module__.startswith("stripe.") or base.__module__ in ("stripe._stripe_object",):
            continue
        for name, annotation in inspect.get_annotations(base).items():
            if name.startswith("_") or name == "OBJECT_NAME" or typing.get_origin(annotation) is typing.ClassVar:
                continue
            resolved = _resolve(annotation, base.__module__)
            if typing.get_origin(resolved) is not typing.ClassVar:
                found[name] = resolved
    return found


def _resolve(annotation: Any, module: str) -> Any:
    reference = typing.ForwardRef(annotation) if isinstance(annotation, str) else annotation
    return typing._eval_type(reference, _names(module), {})  # type: ignore[attr-defined]


@cache
def _names(module: str) -> dict[str, Any]:
    """What a module can name, the imports that it makes for type checkers only included."""
    names = dict(vars(sys.modules[module]))
    source = Path(str(sys.modules[module].__file__)).read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("stripe"):
            for alias in node.names:
                names[alias.asname or alias.name] = getattr(import_module(node.module), alias.name)
    return names
