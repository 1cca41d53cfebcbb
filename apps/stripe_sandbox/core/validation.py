"""Parameters against stripe-python's request types: what is unknown, missing or of the wrong type is refused by
name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from apps.stripe_sandbox.contract.annotations import fields
from apps.stripe_sandbox.contract.types import Choice, ListOf, MapOf, OneOf, Record, Scalar, Type
from apps.stripe_sandbox.core.errors import ApiError, required

INTEGER = re.compile(r"-?\d{1,18}")
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE]-?\d+)?")
ADDRESSES = frozenset({"success_url", "cancel_url", "return_url", "default_return_url"})
ADDRESS = re.compile(r"https?://[^\s/\x00-\x1f][^\s\x00-\x1f]*")
MOMENTS = frozenset(
    "cancel_at due_date end end_date expires_at frozen_time proration_date redeem_by resumes_at start start_date "
    "trial_end".split()
)
LAST_MOMENT = 9_999_999_999
"""In the year 2286: what comes after has eleven digits, and is a mistake."""


def validate(values: dict[str, Any], record: Record) -> dict[str, Any]:
    """The values with their types; `''`, where it unsets, as None."""
    return _record(values, record, "")


def _record(value: Any, record: Record, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ApiError("Invalid object", param=path)
    declared = fields(record)
    for name in value:
        if name not in declared:
            param = _join(path, name)
            raise ApiError(f"Received unknown parameter: {param}", code="parameter_unknown", param=param)
    for name, field in declared.items():
        if field.required and name not in value:
            raise required(_join(path, name))
    return {name: convert(item, declared[name].type, _join(path, name)) for name, item in value.items()}


def _join(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name


def convert(value: Any, type_: Type, path: str) -> Any:
    """One value as its type wants it."""
    if isinstance(type_, OneOf):
        return _one_of(value, type_, path)
    if isinstance(type_, Choice):
        return _choice(value, type_.values, path)
    if isinstance(type_, ListOf):
        return _list(value, type_, path)
    if isinstance(type_, MapOf):
        return _map(value, type_, path)
    if isinstance(type_, Record):
        return _record(value, type_, path)
    return _scalar(value, cast(Scalar, type_).name, path)


def _one_of(value: Any, type_: OneOf, path: str) -> Any:
    """Named values and `str` together are an enumeration, unless the only named value is the empty one: it unsets."""
    named = [name for option in type_.options if isinstance(option, Choice) for name in option.values]
    if value == "" and "" in named:
        return None
    choices = tuple(name for name in named if name != "")
    if value in choices:
        return value
    others = [option for option in type_.options if not isinstance(option, Choice)]
    if isinstance(value, (dict, list)):
        return _structured(value, others, path)
    scalars = [option for option in others if isinstance(option, Scalar) and not (choices and option.name == "str")]
    if scalars:
        return _scalar(value, scalars[0].name, path)
    return _choice(value, choices, path) if choices else convert(value, others[0], path)


def _structured(value: Any, options: Sequence[Type], path: str) -> Any:
    for option in options:
        if isinstance(option, (Record, ListOf, MapOf)):
            return convert(value, option, path)
    raise ApiError(f"Invalid {path}", param=path)


def _choice(value: Any, values: tuple[str | bool | int, ...], path: str) -> Any:
    for candidate in values:
        if value == (str(candidate).lower() if isinstance(candidate, bool) else str(candidate)):
            return candidate
    names = [str(candidate) for candidate in values]
    listed = names[0] if len(names) == 1 else f"one of {', '.join(names[:-1])}, or {names[-1]}"
    raise ApiError(f"Invalid {path}: must be {listed}", param=path)


def _list(value: Any, type_: ListOf, path: str) -> list[Any]:
    if isinstance(value, dict) and all(key.isdigit() for key in value):
        value = [value[key] for key in sorted(value, key=int)]
    if value == "":
        return []
    if not isinstance(value, list):
        raise ApiError("Invalid array", param=path)
    return [convert(item, type_.item, f"{path}[{index}]") for index, item in enumerate(value)]


def _map(value: Any, type_: MapOf, path: str) -> dict[str, Any]:
    """Free keys; values that are text stay as they are, since an empty one takes its key away."""
    if not isinstance(value, dict):
        raise ApiError("Invalid object", param=path)
    if isinstance(type_.item, Scalar):
        return value
    return {name: convert(item, type_.item, _join(path, name)) for name, item in value.items()}


def _scalar(value: Any, name: str, path: str) -> Any:
    if name == "Any":
        return value
    if not isinstance(value, str):
        raise ApiError(f"Invalid {'string' if name == 'str' else name}: {value}", param=path)
    if value == "":
        raise ApiError(
            f"You passed an empty string for '{path}'. We assume empty values are an attempt to unset a parameter; "
            f"however '{path}' cannot be unset. You should remove '{path}' from your request or supply a non-empty "
            f"value.",
            code="parameter_invalid_empty",
            param=path,
        )
    return _READERS.get(name, _text)(value, path)


def _text(value: str, path: str) -> str:
    if len(value) > 5000:
        raise ApiError(
            f"Invalid string: {path} must be at most 5000 characters", code="parameter_invalid_string", param=path
        )
    if _name(path) in ADDRESSES and not ADDRESS.fullmatch(value):
        raise ApiError(
            "Invalid URL: An explicit scheme (such as https) must be provided.", code="url_invalid", param=path
        )
    return value


def _name(path: str) -> str:
    """The last part of a parameter's path."""
    return path.rpartition("[")[2].rstrip("]")


def _integer(value: str, path: str) -> int:
    if not INTEGER.fullmatch(value):
        raise ApiError(f"Invalid integer: {value}", code="parameter_invalid_integer", param=path)
    if _name(path) in MOMENTS and not 0 <= int(value) <= LAST_MOMENT:
        raise ApiError("Invalid timestamp: must be an integer Unix timestamp.", param=path)
    return int(value)


def _boolean(value: str, path: str) -> bool:
    if value not in ("true", "false"):
        raise ApiError(f"Invalid boolean: {value}", param=path)
    return value == "true"


def _number(value: str, path: str) -> float:
    if not NUMBER.fullmatch(value):
        raise ApiError(f"Invalid number: {value}", param=path)
    return float(value)


def _decimal(value: str, path: str) -> str:
    try:
        if not NUMBER.fullmatch(value) or (-Decimal(value).as_tuple().exponent) > 12:  # type: ignore[operator]
            raise ApiError(f"Invalid decimal: {value}", code="parameter_invalid_decimal", param=path)
    except InvalidOperation:
        raise ApiError(f"Invalid decimal: {value}", param=path) from None
    return format(Decimal(value).normalize(), "f")


_READERS = {"int": _integer, "bool": _boolean, "float": _number, "Decimal": _decimal}
