"""Every route of both hosts, and what each needs: written by hand, beside the code that declares it.

This is the one table that says a second time what the code says, so that a slip in either is noticed. All else
about routes, such as the ids that they take and whether they are the API's, is derived from the URL patterns.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from django.test import Client
from django.urls import URLPattern, reverse

from apps.core.routes import named_routes

TENANT_URLS, CONTROL_URLS = "config.urls_tenant", "config.urls_control"
# Every person's, whatever the role; a list shows what one may see.
MEMBER, SEE, LIST = "member", "organization:read", "projects:list"


class Anybody(NamedTuple):
    """Open to everybody; an empty request is answered with this status."""

    status: int


# A tenant's host: what each route needs, method by method; pages check it before they look at the method.
NEEDS: dict[str, dict[str, str | Anybody]] = {
    "overview": {"GET": SEE},
    "search": {"GET": SEE},
    "theme": {"GET": Anybody(405)},
    "projects:list": {"GET": LIST},
    "projects:create": {"GET": "projects:write"},
    "projects:detail": {"GET": "projects:read"},
    "projects:edit": {"GET": "projects:write"},
    "projects:delete": {"GET": "projects:delete"},
    "projects:shares": {"GET": "projects:read"},
    "projects:share": {"GET": "projects:share"},
    "projects:unshare": {"GET": "projects:share"},
    "projects:document-upload": {"GET": "projects:write"},
    "projects:document-link": {"GET": "projects:read"},
    "projects:document-download": {"GET": "projects:read"},
    "projects:document-delete": {"GET": "projects:write"},
    "projects:document-shares": {"GET": "projects:read"},
    "projects:document-share": {"GET": "projects:share"},
    "projects:document-unshare": {"GET": "projects:share"},
    "account_login": {"GET": Anybody(200)},
    "set-password": {"GET": Anybody(200)},
    "reset-password": {"GET": Anybody(200)},
    "accept-invitation": {"GET": Anybody(200)},
    "verify-email": {"GET": MEMBER},
    "account_logout": {"GET": Anybody(405)},
    "account_signup": {"GET": Anybody(302)},
    "handoff": {"GET": Anybody(302)},
    "visit": {"GET": Anybody(302)},
    "visit-end": {"GET": Anybody(405)},
    "members": {"GET": SEE},
    "leave": {"GET": MEMBER},
    "member-role": {"GET": "users:manage"},
    "member-ownership": {"GET": "users:manage"},
    "member-remove": {"GET": "users:manage"},
    "invitations": {"GET": "users:manage"},
    "invite": {"GET": "users:manage"},
    "invitation-resend": {"GET": "users:manage"},
    "invitation-revoke": {"GET": "users:manage"},
    "roles": {"GET": SEE},
    "role-create": {"GET": "roles:manage"},
    "role": {"GET": "roles:manage"},
    "role-delete": {"GET": "roles:manage"},
    "profile": {"GET": MEMBER},
    "send-verification": {"GET": MEMBER},
    "security": {"GET": MEMBER},
    "end-session": {"GET": MEMBER},
    "sign-out-everywhere": {"GET": MEMBER},
    "audit-log": {"GET": "audit:view"},
    "ended-accesses": {"GET": "audit:view"},
    "audit-people": {"GET": "audit:view"},
    "verify-chain": {"GET": "audit:view"},
    "api-keys-page": {"GET": "keys:manage"},
    "key-create": {"GET": "keys:manage"},
    "key-revoke": {"GET": "keys:manage"},
    "settings": {"GET": "settings:manage"},
    "logo-upload": {"GET": "settings:manage"},
    "logo-remove": {"GET": "settings:manage"},
    "danger-zone": {"GET": "settings:manage"},
    "brand-logo": {"GET": SEE},
    "mailed-logo": {"GET": Anybody(403)},
    "brand-css": {"GET": Anybody(200)},
    "projects:fields": {"GET": "settings:manage"},
    "projects:field-create": {"GET": "settings:manage"},
    "projects:field-edit": {"GET": "settings:manage"},
    "projects:field-delete": {"GET": "settings:manage"},
    "api-login": {"POST": Anybody(400)},
    "api-refresh": {"POST": Anybody(400)},
    "api-logout": {"POST": MEMBER},
    "api-logout-everywhere": {"POST": MEMBER},
    "api-validate": {"POST": Anybody(401)},
    "api-password-reset": {"POST": Anybody(400)},
    "api-find-organizations": {"POST": Anybody(400)},
    "api-me": {"GET": MEMBER, "PATCH": MEMBER},
    "api-password": {"POST": MEMBER},
    "api-verification": {"POST": MEMBER},
    "api-organization": {"GET": "users:manage"},
    "api-members": {"GET": SEE},
    "api-leave": {"POST": MEMBER},
    "api-member": {"GET": SEE, "PATCH": "users:manage", "DELETE": "users:manage"},
    "api-ownership": {"POST": "users:manage"},
    "api-invitations": {"GET": "users:manage", "POST": "users:manage"},
    "api-accept": {"POST": Anybody(400)},
    "api-invitation": {"GET": "users:manage", "DELETE": "users:manage"},
    "api-resend": {"POST": "users:manage"},
    "api-roles": {"GET": SEE, "POST": "roles:manage"},
    "api-role": {"GET": SEE, "PATCH": "roles:manage", "DELETE": "roles:manage"},
    "api-permissions": {"GET": SEE},
    "api-keys": {"GET": "keys:manage", "POST": "keys:manage"},
    "api-key": {"DELETE": "keys:manage"},
    "api-sessions": {"GET": MEMBER},
    "api-session": {"DELETE": MEMBER},
    "api-settings": {"GET": SEE, "PATCH": "settings:manage"},
    "api-logo": {"GET": SEE, "PUT": "settings:manage", "DELETE": "settings:manage"},
    "api-audit-events": {"GET": "audit:view"},
    "api-audit-export": {"GET": "audit:view"},
    "api-projects": {"GET": LIST, "POST": "projects:write"},
    "api-projects-bulk": {"POST": "projects:write"},
    "api-project": {"GET": "projects:read", "PATCH": "projects:write", "DELETE": "projects:delete"},
    "api-documents": {"GET": "projects:read", "POST": "projects:write"},
    "api-document": {"GET": "projects:read", "DELETE": "projects:write"},
    "api-document-content": {"GET": "projects:read"},
    "api-project-shares": {"GET": "projects:read"},
    "api-project-share": {"PUT": "projects:share", "DELETE": "projects:share"},
    "api-document-shares": {"GET": "projects:read"},
    "api-document-share": {"PUT": "projects:share", "DELETE": "projects:share"},
    "api-custom-fields": {"GET": SEE, "POST": "settings:manage"},
    "api-custom-field": {"GET": SEE, "PATCH": "settings:manage", "DELETE": "settings:manage"},
    "api-schema": {"GET": Anybody(200)},
    "api-docs": {"GET": Anybody(200)},
    "jwks": {"GET": Anybody(200)},
}
# The apex.
# The models that staff sees on the apex, and what can be done there with one of them besides looking.
STAFF_MODELS: dict[str, tuple[str, ...]] = {
    "tenants_tenant": ("enter", "hold", "release", "resume"),
    "tenants_domain": (),
    "tenants_placement": (),
    "tenants_pool": (),
    "accounts_membership": (),
    "accounts_user": (),
    "accounts_supportvisit": (),
    "audit_controlevent": (),
}
STAFF_ROUTES = {
    *(f"admin:{name}" for name in ("index", "login", "logout", "jsi18n", "search", "app_list", "None")),
    *(f"admin:{model}_{page}" for model in STAFF_MODELS for page in ("changelist", "change", "history")),
    *(f"admin:{model}_{act}" for model, acts in STAFF_MODELS.items() for act in acts),
    "staff-fleet",
    "staff-fleet-retry",
    "staff-outbox",
    "staff-outbox-retry",
}
DEV_ROUTES = {"dev-inbox", "dev-mail", "dev-mail-html", "dev-templates", "dev-template", "dev-template-html"}
# Those of the API are on both hosts.
APEX_ROUTES = {
    "landing",
    "sign-up",
    "sign-up-address",
    "status",
    "theme",
    "components",
    "choose-organization",
    "find-organizations",
    "jwks",
    "api-register",
    *DEV_ROUTES,
    *STAFF_ROUTES,
}

# -- what follows from the patterns -------------------------------------------------------------------------------

METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
FORM = {"name": "overwritten", "description": "overwritten"}
PATTERNS: dict[str, URLPattern] = dict(named_routes(TENANT_URLS))
API_ROUTES = {name for name, pattern in PATTERNS.items() if hasattr(pattern.callback, "cls")}
OPEN = {name for name, needs in NEEDS.items() if any(isinstance(need, Anybody) for need in needs.values())}
SHOWN_TO_ALL = {name for name, needs in NEEDS.items() if needs.get("GET") == Anybody(200)}


def arguments_of(route: str) -> tuple[str, ...]:
    """The names of the ids, or of the token, in the route's address."""
    return tuple(PATTERNS[route].pattern.converters) if route in PATTERNS else ()


def is_api(route: str) -> bool:
    return route in API_ROUTES


def address_of(route: str, values: dict[str, Any]) -> str:
    return reverse(route, kwargs={name: values[name] for name in arguments_of(route)}, urlconf=TENANT_URLS)


def call(client: Client, method: str, route: str, values: dict[str, Any]) -> Any:
    """Any method of a tenant's route, with a body that would overwrite a name where there can be one."""
    address = address_of(route, values)
    if method in ("get", "head", "options") or (method == "delete" and is_api(route)):
        return getattr(client, method)(address)
    if is_api(route):
        return getattr(client, method)(address, json.dumps(FORM), content_type="application/json")
    if method == "post":
        return client.post(address, FORM)
    return getattr(client, method)(address, "name=overwritten", content_type="application/x-www-form-urlencoded")


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content
