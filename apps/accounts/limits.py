"""How often somebody may try, per network address and per e-mail address."""

from __future__ import annotations

from allauth.core import ratelimit
from django.http import HttpRequest

from apps.tenancy.context import control

from .errors import TooManyAttempts


def count_sign_up(request: HttpRequest, email: str) -> None:
    """Raises TooManyAttempts: a sign-up with a known address tries a password as well."""
    with control("count attempts"):
        if not ratelimit.consume(request, action="signup", key=email.strip().lower()):
            raise TooManyAttempts
