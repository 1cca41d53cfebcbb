"""Who may sign in where: members, on their organization's host."""

from __future__ import annotations

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.http import HttpRequest

from apps.tenancy.context import TenantContext, control, current

from .models import User
from .selectors import find_member, find_person


class MemberBackend(AuthenticationBackend):
    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:  # type: ignore[override]
        """The person whose password it is, if they are a member here; the same refusal for everybody else."""
        with control("sign-in"):
            user = super().authenticate(request, **credentials)
        tenant = getattr(request, "tenant", None)
        if user is None or tenant is None:
            return None
        return find_member(user.pk, tenant.id)

    def get_user(self, user_id: Any) -> User | None:
        """The person of a session, with their membership; None once they are no member any more."""
        context = current()
        if isinstance(context, TenantContext):
            return find_member(user_id, context.tenant_id)
        return find_person(user_id)
