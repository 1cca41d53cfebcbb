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


class InvalidTimeZone(DomainError):
    status = 400
    code = "invalid_time_zone"
    message = "This is no time zone of the IANA database."


class LogoRefused(DomainError):
    status = 400
    code = "logo_refused"
    message = "A logo is a PNG, JPEG or WebP picture."


class LogoLinkRefused(DomainError):
    status = 403
    code = "logo_link_refused"
    message = "This is not the address of the organization's logo."


class LogoNotFound(NotFoundError):
    code = "logo_not_found"
    message = "The organization has no logo."
