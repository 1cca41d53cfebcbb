from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.errors import DomainError


class InvalidName(DomainError):
    status = 400
    code = "invalid_name"
    message = _("Give the organization a name of 1 to 200 characters.")


class InvalidPlacement(DomainError):
    status = 400
    code = "invalid_placement"
    message = "The placement is one of pool, schema, database."


class OrganizationExists(DomainError):
    code = "organization_exists"
    message = _("An organization of this name belongs to another owner.")


class PlacementDiffers(DomainError):
    code = "placement_differs"
    message = "The organization exists, in another placement."
