"""What people are told when it may concern them."""

from __future__ import annotations

from django.contrib import messages
from django.utils.translation import gettext as _

from apps.tenancy.context import current_tenant

from .. import selectors
from ..models import User
from ..requests import TenantRequest


def remind_of_keys(request: TenantRequest, person: User) -> None:
    """A new password ends sessions, and not what programs do with keys."""
    if selectors.has_keys(person, current_tenant().tenant_id):
        messages.warning(
            request, _("API keys that you made go on working. Revoke those that somebody else may have made or seen.")
        )
