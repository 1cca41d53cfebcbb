"""Requests through the whole application, middleware and all, as somebody else's browser or program sends them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, reverse

from apps.access.permissions import EVERYONE
from apps.accounts.services.people import make_password_token
from apps.core.routes import named_routes

from ..bait import DOCUMENTATION_ADDRESS
from ..targets import Target

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
METHODS = (*SAFE_METHODS, "POST", "PUT", "PATCH", "DELETE")
Headers = Mapping[str, str]
NO_HEADERS: Headers = MappingProxyType({})
REFUSED = {401, 403, 404, 405}
SIGN_IN = ("/sign-in/", "/admin/login/")


@dataclass(frozen=True)
class RouteAnswer:
    status: int
    body: bytes
    headers: Mapping[str, str]
    error: str = ""

    def shows(self, word: str) -> bool:
        return word.encode() in self.body or any(word in value for value in self.headers.values())

    @property
    def asks_to_sign_in(self) -> bool:
        return self.status == 302 and self.headers.get("Location", "").startswith(SIGN_IN)

    @property
    def is_refusal(self) -> bool:
        return self.status in REFUSED or self.asks_to_sign_in


class Visitor:
    """A browser with a session's cookie, or a program with a token or key, at one host name."""

    def __init__(self, host: str, *, session: str = "", bearer: str = "") -> None:
        self._client = Client(raise_request_exception=False, HTTP_HOST=host, REMOTE_ADDR=DOCUMENTATION_ADDRESS)
        if session:
            self._client.cookies[settings.SESSION_COOKIE_NAME] = session
        self._headers = {"HTTP_AUTHORIZATION": f"Bearer {bearer}"} if bearer else {}

    def send(
        self, method: str, path: str, data: Any = None, *, as_json: bool = False, headers: Headers = NO_HEADERS
    ) -> RouteAnswer:
        content_type = "application/json" if as_json else "application/x-www-form-urlencoded"
        body = b"" if method in SAFE_METHODS else _encoded(data or {"name": "overwritten"}, as_json=as_json)
        response: Any = self._client.generic(
            method,
            path,
            body,
            content_type=content_type,
            secure=settings.PUBLIC_SCHEME == "https",
            **{**self._headers, **headers},  # type: ignore[arg-type]
        )
        content = b"".join(response.streaming_content) if response.streaming else response.content
        response.close()
        error = repr(response.exc_info[1])[:200] if response.exc_info else ""
        return RouteAnswer(response.status_code, content, dict(response.items()), error)


@dataclass(frozen=True)
class Route:
    """A route of the application, with what its view declares about who may use it."""

    name: str
    pattern: URLPattern
    urlconf: str

    @property
    def arguments(self) -> tuple[str, ...]:
        return tuple(self.pattern.pattern.converters)

    @property
    def is_api(self) -> bool:
        return hasattr(self.pattern.callback, "cls")

    @property
    def is_public(self) -> bool:
        view: Any = self.pattern.callback
        declared = getattr(view, "cls", None) or getattr(view, "access", None)
        return bool(getattr(declared, "public_because", ""))

    @property
    def is_for_staff(self) -> bool:
        return bool(getattr(getattr(self.pattern.callback, "access", None), "staff_because", ""))

    def permission(self, method: str) -> str:
        view: Any = self.pattern.callback
        if self.is_api:
            return str(getattr(view.cls, "permissions_by_method", {}).get(method, ""))
        return str(getattr(getattr(view, "access", None), "permission", ""))

    def changes_the_organization_only(self, method: str) -> bool:
        """Not the caller's own sign-in, and nothing that another company would be paid or asked for."""
        permission = self.permission(method)
        elsewhere = permission.startswith(("billing:", "integrations:"))
        return bool(permission) and permission not in EVERYONE and not elsewhere

    def path(self, values: Mapping[str, Any]) -> str:
        return reverse(self.name, kwargs={name: values[name] for name in self.arguments}, urlconf=self.urlconf)

    def paths(self, target: Target, *, first: Target | None = None) -> Iterator[str]:
        """The route with ids of the target; with ``first`` the leading argument is that organization's."""
        choices = [_values_for(argument, target) for argument in self.arguments]
        if first is not None and len(choices) > 1:
            choices[0] = _values_for(self.arguments[0], first)
        seen = set()
        for number in range(max(map(len, choices), default=1)):
            row = [values[number % len(values)] for values in choices]
            try:
                path = self.path(dict(zip(self.arguments, row, strict=True)))
            except NoReverseMatch:
                continue
            if path not in seen:
                seen.add(path)
                yield path


@lru_cache(maxsize=4)
def routes_of(urlconf: str) -> tuple[Route, ...]:
    return tuple(Route(name, pattern, urlconf) for name, pattern in named_routes(urlconf) if pattern.name)


def tenant_routes() -> tuple[Route, ...]:
    return routes_of(settings.ROOT_URLCONF)


def nameless_routes() -> list[str]:
    """Routes of a tenant's host that cannot be found by a name."""
    return [str(pattern.pattern) for _, pattern in named_routes(settings.ROOT_URLCONF) if not pattern.name]


def apex_routes() -> tuple[Route, ...]:
    return routes_of(settings.PUBLIC_SCHEMA_URLCONF)


def _values_for(argument: str, target: Target) -> list[Any]:
    """Ids of the models that an argument's name speaks of; of all models if it speaks of none."""
    if argument == "token":
        return [make_password_token(target.owner)]
    word = argument.removesuffix("_id").replace("_", "")
    return [found for name, found in target.ids.items() if word in name] or list(target.ids.values())


def _encoded(data: Mapping[str, Any], *, as_json: bool) -> bytes:
    return (json.dumps(data, default=str) if as_json else urlencode(data, doseq=True)).encode()
