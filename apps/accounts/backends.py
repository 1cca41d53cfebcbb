"""Who may sign in where: members on their organization's host, staff on the apex."""

from __future__ import annotations

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from apps.tenancy.context import TenantContext, control, current

from .models import User
from .selectors import find_member, find_person, person_of_address


class MemberBackend(AuthenticationBackend):
    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:  # type: ignore[override]
        """The person whose password it is, if they are a member here; the same refusal for everybody else."""
        tenant = getattr(request, "tenant", None)
        if tenant is None:
            return None
        with control("sign-in"):
            user = super().authenticate(request, **credentials)
        member = find_member(user.pk, tenant.id) if user else None
        if user and member:
            member.password = user.password  # the one that was proven: with another the session is void
        return member

    def _mitigate_timing_attack(self, password: str) -> None:
        User().check_password(password)

    def get_user(self, user_id: Any) -> User | None:
        """The person of a session, with their membership; None once they are no member any more."""
        context = current()
        if isinstance(context, TenantContext):
            return find_member(user_id, context.tenant_id)
        return find_person(user_id)


class StaffBackend(ModelBackend):
    """Knows staff, on the apex; on an organization's host it knows nobody."""

    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        if username is None or request is None or getattr(request, "tenant", None) is not None:
            return None
        person = person_of_address(username) or User()  # whose check takes as long as anybody's
        with control("staff sign-in"):
            is_theirs = person.check_password(password or "")
        return person if is_theirs and person.is_staff else None

    def get_user(self, user_id: Any) -> User | None:
        if isinstance(current(), TenantContext):
            return None
        user = find_person(user_id)
        return user if user is not None and user.is_staff else None
