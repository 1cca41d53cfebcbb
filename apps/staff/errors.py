from __future__ import annotations

from apps.core.errors import NotFoundError


class NoStaff(NotFoundError):
    code = "no_staff"
    message = "There is no such staff."
