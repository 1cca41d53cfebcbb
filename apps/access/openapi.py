"""How the API describes itself (OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from .resources import ResourceView

UNSAFE = {"post", "put", "patch", "delete"}
PROBLEM = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": ["string", "null"]},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
BLANK = {"type": "string", "maxLength": 0}
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "The same key and content run once and answer the same for 24 hours.",
}
IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "schema": {"type": "string"},
    "description": "The ETag that was read; 412 if it has changed since.",
}


class ApiSchema(AutoSchema):
    def get_override_parameters(self) -> list[Any]:
        """What may be asked of a list stands in its view's ``query``, and otherwise in its ``parameters``."""
        parameters = list(super().get_override_parameters())
        if isinstance(self.view, ResourceView) and self.method == "GET":
            asked = [self.view.query.serializer_class] if self._is_list_view() else self.view.parameters
            parameters += [one for one in asked if one._declared_fields]
        return parameters

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        declared = getattr(self.view, "permissions_by_method", {}).get(self.method)
        if declared:
            operation["x-permission"] = declared
        if declared and self.method.lower() in UNSAFE:
            operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
            if getattr(self.view, "versioned", False):
                operation["parameters"].append(IF_MATCH)
        if getattr(self.view, "deprecated_at", None):
            operation["deprecated"] = True
        operation["responses"]["default"] = {
            "description": "A problem",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        return operation


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "apps.access.api_guards.TokenAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An access token, or an API key."}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "apps.access.api_guards.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "__Host-sessionid", "description": "sessionid without https"}


def add_problem(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """A post-processing hook: the schema of every error."""
    result["components"]["schemas"]["Problem"] = PROBLEM
    return result


def allow_blank(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """A post-processing hook: a text that may be blank matches its pattern, its blank alternative, or both."""
    for schema in result["components"]["schemas"].values():
        for described in schema.get("properties", {}).values():
            if BLANK in described.get("oneOf", ()):
                described["anyOf"] = described.pop("oneOf")
    return result


def close_requests(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """A post-processing hook: what a request does not list it may not have."""
    for name, schema in result["components"]["schemas"].items():
        if name.endswith("Request"):
            schema["additionalProperties"] = False
    return result
