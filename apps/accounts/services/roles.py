"""An organization's own roles."""

from __future__ import annotations

from uuid import UUID

from django.db import IntegrityError
from django.db.models import ProtectedError
from django.utils.translation import gettext as _

from apps.access.permissions import ALL
from apps.access.subjects import Subject
from apps.audit import services as audit
from apps.audit.services import difference, state
from apps.core.names import look_alike
from apps.core.preconditions import check_unchanged
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic, lock

from ..errors import BeyondOwnRights, RoleInUse, RoleNameTaken, RoleNotFound, UnknownPermission
from ..models import CustomRole, Invitation
from ..roles import built_in_names
from . import members


def create_role(*, actor: Subject, name: str, permissions: list[str]) -> CustomRole:
    """Raises UnknownPermission, BeyondOwnRights, RoleNameTaken."""
    granted = _validated(actor, permissions)
    try:
        with control("create a role"), atomic():
            _check_name(actor, name)
            role = CustomRole.objects.create(tenant_id=actor.tenant_id, name=name, permissions=granted)
            changes = {"name": [None, name], "permissions": [None, granted]}
            audit.record("role.created", actor=actor, resource=role, tenant_id=actor.tenant_id, changes=changes)
    except IntegrityError as error:
        raise RoleNameTaken(field="name") from error
    return role


def update_role(*, actor: Subject, role_id: UUID, name: str, permissions: list[str], expected: str = "") -> CustomRole:
    """Change a role; what its holders may do changes with their next request.

    Raises RoleNotFound, PreconditionFailed, UnknownPermission, BeyondOwnRights, RoleNameTaken.
    """
    granted = _validated(actor, permissions)
    try:
        with control("update a role"), atomic():
            role = _locked(actor, role_id)
            check_unchanged(role, expected)
            _check_held(actor, set(role.permissions))
            if name != role.name:
                _check_name(actor, name, instead_of=role.name)
            before = state(role, "name", "permissions")
            role.name, role.permissions = name, granted
            changes = difference(before, state(role, "name", "permissions"))
            if changes:
                role.save(update_fields=["name", "permissions", "updated_at"])
                members.void_rights_of_role(role.id, actor.tenant_id)
                audit.record("role.updated", actor=actor, resource=role, tenant_id=actor.tenant_id, changes=changes)
    except IntegrityError as error:
        raise RoleNameTaken(field="name") from error
    return role


def delete_role(*, actor: Subject, role_id: UUID, expected: str = "") -> None:
    """Raises RoleNotFound, PreconditionFailed, RoleInUse."""
    with control("delete a role"), atomic():
        role = _locked(actor, role_id)
        check_unchanged(role, expected)
        _check_held(actor, set(role.permissions))
        audit.record("role.deleted", actor=actor, resource=role, tenant_id=actor.tenant_id)
        Invitation.objects.filter(tenant_id=actor.tenant_id, custom_role=role).exclude(
            accepted_at=None, revoked_at=None
        ).delete()
        try:
            role.delete()
        except ProtectedError as error:
            raise RoleInUse from error


def _locked(actor: Subject, role_id: UUID) -> CustomRole:
    role = CustomRole.objects.select_for_update().filter(tenant_id=actor.tenant_id, id=role_id).first()
    if role is None:
        raise RoleNotFound
    return role


def _check_name(actor: Subject, name: str, *, instead_of: str = "") -> None:
    """Nobody may take one role for another, built in or not: in the transaction that writes the name."""
    lock(f"role names {actor.tenant_id}")
    own = CustomRole.objects.filter(tenant_id=actor.tenant_id).exclude(name=instead_of)
    if any(look_alike(name, other) for other in (*built_in_names(), *own.values_list("name", flat=True))):
        raise RoleNameTaken(field="name")


def _validated(actor: Subject, permissions: list[str]) -> list[str]:
    unknown = set(permissions) - ALL
    if unknown:
        raise UnknownPermission(_("There is no permission %(name)s.") % {"name": min(unknown)}, field="permissions")
    _check_held(actor, set(permissions))
    return sorted(set(permissions))


def _check_held(actor: Subject, permissions: set[str]) -> None:
    """Nobody gives or takes a permission that they do not have."""
    if permissions - actor.permissions:
        raise BeyondOwnRights(field="permissions")
