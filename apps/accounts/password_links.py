"""The proof in a mail with which a person sets a password."""

from __future__ import annotations

from datetime import UTC, datetime

from django.contrib.auth.tokens import PasswordResetTokenGenerator

from .models import User


class PasswordLinks(PasswordResetTokenGenerator):
    """Good until it is used, is too old or the password is another; signing in, by whomever, leaves it as it is."""

    key_salt = "accounts.password_link"

    def _make_hash_value(self, user: User, timestamp: int) -> str:  # type: ignore[override]
        return f"{user.pk}{user.password}{timestamp}{user.email}"

    def _now(self) -> datetime:
        return datetime.now(UTC).replace(tzinfo=None)  # the same on machines in different zones


password_links = PasswordLinks()
