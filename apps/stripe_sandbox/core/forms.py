"""Form bodies and query strings with nested names: `items[0][price]=…`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from apps.stripe_sandbox.core.errors import ApiError

NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
KEY = re.compile(r"\[([^\[\]]*)\]")


def decode(text: str) -> dict[str, Any]:
    """Nested dicts of strings; `a[]=` counts up. What becomes a list is decided by the parameter's type."""
    decoded: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        match = NAME.fullmatch(name)
        if match is None:
            raise ApiError(f"Invalid parameter name: {name}", param=name)
        _put(decoded, [match[1], *KEY.findall(match[2])], value, name)
    return decoded


def _put(target: dict[str, Any], keys: list[str], value: str, name: str) -> None:
    for key in keys[:-1]:
        target = target.setdefault(key or str(len(target)), {})
        if not isinstance(target, dict):
            raise ApiError(f"Invalid parameter: {name} is given both as a value and as an object", param=name)
    target[keys[-1] or str(len(target))] = value
