"""The error that a broken business rule raises, whoever asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


class DomainError(Exception):
    """A rule was broken. The API answers with problem+json, a page with a form error, a command with one line.

    Its words are in the language that is spoken where it is raised. ``field`` names the input that is at fault,
    where one is; ``headers`` and ``extra`` members go with the answer.
    """

    status = 409
    code = "conflict"
    message: Any = _("That is not possible right now.")

    headers: Mapping[str, str] = {}
    extra: Mapping[str, Any] = {}

    def __init__(self, message: str = "", *, field: str = "") -> None:
        self.message = str(message or self.message)
        self.field = field
        super().__init__(self.message)


class NotFoundError(DomainError):
    status = 404
    code = "not_found"
    message: Any = _("There is nothing here.")


class PreconditionFailed(DomainError):
    status = 412
    code = "precondition_failed"
    message = _("Somebody has changed it since you opened it. Open it again, then make your change.")


def first_line(error: BaseException) -> str:
    """What an error says in one line, at least its name: databases add details and hints below."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
