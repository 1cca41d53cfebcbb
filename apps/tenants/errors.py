from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.errors import DomainError, NotFoundError


class SlugTaken(DomainError):
    code = "slug_taken"
    message = _("Another organization already has this address.")


class TenantNotFound(NotFoundError):
    code = "tenant_not_found"
    message = _("There is no such organization.")


class TenantNotReady(DomainError):
    code = "tenant_not_ready"
    message = _("The organization is not ready.")


class NoRoom(DomainError):
    status = 503
    code = "no_room"
    message = _("There is no room for a new organization right now. Try again later.")


class PoolNotFound(NotFoundError):
    code = "pool_not_found"
    message = "There is no such pool."


class IllegalTransition(DomainError):
    code = "illegal_transition"
    message = _("The organization's status does not allow this.")


class InvalidTimeZone(DomainError):
    status = 400
    code = "invalid_time_zone"
    message = _("This is no time zone of the IANA database.")


class LogoRefused(DomainError):
    status = 400
    code = "logo_refused"
    message = _("A logo is a PNG, JPEG or WebP picture.")


class LogoLinkRefused(DomainError):
    status = 403
    code = "logo_link_refused"
    message = _("This is not the address of the organization's logo.")


class LogoNotFound(NotFoundError):
    code = "logo_not_found"
    message = _("The organization has no logo.")


class NoOwnDatabase(NotFoundError):
    code = "no_own_database"
    message = _("There is no such organization with a database of its own.")


class InvalidReplicaAddress(DomainError):
    status = 400
    code = "invalid_replica_address"
    message = _("The address of a replica is host:port.")
