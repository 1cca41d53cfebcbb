from __future__ import annotations

from apps.core.errors import DomainError, NotFoundError


class SlugTaken(DomainError):
    code = "slug_taken"
    message = "Another organization already has this address."


class TenantNotFound(NotFoundError):
    code = "tenant_not_found"
    message = "There is no such organization."


class TenantNotReady(DomainError):
    code = "tenant_not_ready"
    message = "The organization is not ready."


class IllegalTransition(DomainError):
    code = "illegal_transition"
    message = "The organization's status does not allow this."
