"""The processor time of a stock request."""

from __future__ import annotations

from ..wsgi_calls import environ_of, microseconds
from .listing import listing
from .wsgi import application

ROWS = 40


def processor() -> dict[str, float]:
    """Microseconds of the one kind that there is."""
    given = listing(ROWS)
    bearer = {"AUTHORIZATION": f"Bearer {given['token']}"}
    return {"list": microseconds(application, [environ_of("GET", given["host"], "/api/v1/projects", **bearer)], 200)}
