from __future__ import annotations

from apps.core.errors import DomainError


class EmailUnavailable(DomainError):
    status = 409
    code = "email_unavailable"
    message = "This e-mail address and password do not go together. Use the password you already have, if any."


class WeakPassword(DomainError):
    status = 400
    code = "weak_password"


class HandoffRefused(DomainError):
    status = 403
    code = "handoff_refused"
    message = "This sign-in link was used already, or is older than a minute. Please sign in."


class TooManyAttempts(DomainError):
    status = 429
    code = "too_many_attempts"
    message = "That was tried too often. Wait a minute and try again."


class PasswordLinkRefused(DomainError):
    status = 403
    code = "password_link_refused"
    message = "This link was used already, or is too old. Ask for a new one."
