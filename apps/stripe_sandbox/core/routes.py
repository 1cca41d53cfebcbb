"""The table of what is served. A route names an operation that stripe-python knows, and the parameters it serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from apps.stripe_sandbox.contract.operations import Operation, normalized, operations
from apps.stripe_sandbox.core import served
from apps.stripe_sandbox.core.errors import ApiError, not_served
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc


@dataclass
class Call:
    """One request, its parameters checked."""

    session: Session
    params: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.params[name]

    def get(self, name: str, default: Any = None) -> Any:
        value = self.params.get(name)
        return default if value is None else value

    def __contains__(self, name: str) -> bool:
        return name in self.params


Handler: TypeAlias = Callable[..., Doc]


@dataclass(frozen=True)
class Route:
    operation: Operation
    served: served.Tree
    handler: Handler


ROUTES: dict[tuple[str, str], Route] = {}


def serve(method: str, path: str, parameters: str = "") -> Callable[[Handler], Handler]:
    """Declare that an operation is served, with these parameters (see `served`)."""

    def register(handler: Handler) -> Handler:
        operation = operations()[method, normalized(path)]
        ROUTES[operation.key] = Route(operation, served.parse(parameters), handler)
        return handler

    return register


def get(path: str, parameters: str = "") -> Callable[[Handler], Handler]:
    return serve("GET", path, parameters)


def post(path: str, parameters: str = "") -> Callable[[Handler], Handler]:
    return serve("POST", path, parameters)


def delete(path: str, parameters: str = "") -> Callable[[Handler], Handler]:
    return serve("DELETE", path, parameters)


def match(method: str, path: str) -> tuple[Route, list[str]]:
    """The route for a request and the ids in its path, or a refusal that says which kind it is."""
    segments = path.strip("/").split("/")
    found = _find(ROUTES, method, segments)
    if found:
        key, ids = found
        return ROUTES[key], ids
    known = _find(operations(), method, segments)
    if known:
        raise not_served(f"{method} {known[0][1]}")
    raise ApiError(
        f"Unrecognized request URL ({method}: {path}). If you are trying to list objects, remove the trailing slash. "
        "If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier in your code.",
        status=404,
    )


def _find(
    table: dict[tuple[str, str], Any], method: str, segments: list[str]
) -> tuple[tuple[str, str], list[str]] | None:
    """Try the path with every set of segments as ids, literal ones first; there are few segments."""
    for pattern in _patterns(len(segments)):
        path = "/" + "/".join("{}" if is_id else segment for is_id, segment in zip(pattern, segments, strict=True))
        if (method, path) in table:
            return (method, path), [segment for is_id, segment in zip(pattern, segments, strict=True) if is_id]
    return None


def _patterns(length: int) -> list[tuple[bool, ...]]:
    patterns = [tuple(bool(number >> index & 1) for index in range(length)) for number in range(1 << min(length, 7))]
    return sorted(patterns, key=sum)
