"""Creating an organization: one service for the page, the API and the command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ValidationError

from apps.access.permissions import Role
from apps.accounts.models import Membership, User
from apps.accounts.roles import Assigned
from apps.accounts.services import members, people
from apps.audit import services as audit
from apps.audit.actors import ANONYMOUS
from apps.core import names
from apps.core.addresses import normalized_email
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic, lock
from apps.tenants.models import Placement, Tenant
from apps.tenants.services import provisioning

from .errors import InvalidName, InvalidPlacement, OrganizationExists, PlacementDiffers

NAME_MAX_LENGTH = 200


@dataclass(frozen=True)
class SignUp:
    """An organization and its owner; ``is_ready`` is False while its placement is being built."""

    tenant: Tenant
    owner: User
    created: bool

    @property
    def is_ready(self) -> bool:
        return self.tenant.status == Tenant.Status.READY


def sign_up(*, organization: str, email: str, password: str, placement: str = "", locale: str = "") -> SignUp:
    """Create an organization with its owner, in one transaction; ``locale`` is the language it begins with.

    Whoever asks for no certain placement shares a pool when the server may have no more of the usual one. Raises
    a DomainError that names the field, NoRoom.
    """
    with control("sign-up"):
        person = people.identify_person(email=email, password=password, organization=organization)
    name, kind = validated(organization=organization, placement=placement)
    otherwise = "" if placement else Placement.Kind.POOL
    return _create_organization(name, kind, lambda: people.save_person(person), otherwise=otherwise, locale=locale)


def ensure_organization(*, organization: str, owner_email: str, placement: str = "") -> SignUp:
    """The organization of this name and owner, created unless it exists.

    The owner gets no password here. Raises OrganizationExists, PlacementDiffers, InvalidName, InvalidPlacement, NoRoom.
    """
    name, kind = validated(organization=organization, placement=placement)
    with control("ensure organization"), atomic():
        lock(f"organization {name}")
        existing = find_organization(organization=name, owner_email=owner_email, placement=placement)
        if existing:
            return existing
        otherwise = "" if placement else Placement.Kind.POOL
        return _create_organization(name, kind, lambda: people.invite_person(email=owner_email), otherwise=otherwise)


def find_organization(*, organization: str, owner_email: str, placement: str = "") -> SignUp | None:
    """What an earlier ``ensure_organization`` created.

    Raises OrganizationExists when the name is another owner's, PlacementDiffers when it lives elsewhere.
    """
    with control("ensure organization"):
        owned = Membership.objects.filter(user__email=normalized_email(owner_email), role=Role.OWNER)
        mine = owned.select_related("user", "tenant__placement__database").filter(tenant__name=organization).first()
        if mine is None and Tenant.objects.filter(name=organization).exists():
            raise OrganizationExists(field="organization")
    if mine is None:
        return None
    if placement and mine.tenant.requested_placement != placement:
        raise PlacementDiffers(field="placement")
    return SignUp(mine.tenant, mine.user, created=False)


def validated(*, organization: str, placement: str) -> tuple[str, str]:
    """The cleaned name and the placement to use. Raises InvalidName, InvalidPlacement."""
    try:
        name = names.cleaned(organization, one_script=True)
    except ValidationError as error:
        raise InvalidName(error.messages[0], field="organization") from error
    if not name or len(name) > NAME_MAX_LENGTH:
        raise InvalidName(field="organization")
    kind = placement or settings.DEFAULT_PLACEMENT
    if kind not in Placement.Kind.values:
        raise InvalidPlacement(field="placement")
    return name, kind


def _create_organization(
    name: str, kind: str, owner: Callable[[], User], *, otherwise: str, locale: str = ""
) -> SignUp:
    with control("create organization"), atomic():
        user = owner()
        tenant = provisioning.open_tenant(name=name, kind=kind, otherwise=otherwise, locale=locale)
        audit.record("organization.founded", actor=ANONYMOUS, resource=tenant, tenant_id=tenant.id)
        members.add_member(tenant_id=tenant.id, user=user, role=Assigned(Role.OWNER))
    return SignUp(tenant, user, created=True)
