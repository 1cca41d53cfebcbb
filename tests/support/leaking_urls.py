"""A tenant host's routes and some that leak, each in a way of its own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path

from apps.access.guards import public, requires
from apps.access.permissions import MEMBER, PROJECTS_WRITE
from config.urls_tenant import handler400, handler403, handler404, handler500
from config.urls_tenant import urlpatterns as sound
from tests.support import servers

__all__ = ["handler400", "handler403", "handler404", "handler500"]

POOL = "pool_0001"


def past_the_walls(statement: str, **values: Any) -> list[Any]:
    with servers.as_operator() as connection:
        cursor = connection.execute(statement.format(table=f'"{POOL}".projects_project'), values)
        return cursor.fetchall() if cursor.description else []


@requires(MEMBER)
def by_id(request: HttpRequest, project_id: UUID) -> HttpResponse:
    found = past_the_walls("SELECT name FROM {table} WHERE id = %(id)s", id=project_id)
    return HttpResponse(str(found)) if found else HttpResponse(status=404)


@requires(MEMBER)
def destroying(request: HttpRequest, project_id: UUID) -> HttpResponse:
    if request.method == "DELETE":
        past_the_walls("UPDATE {table} SET description = 'x' WHERE id = %(id)s", id=project_id)
    return HttpResponse(status=404)


@requires(MEMBER)
def everything(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(past_the_walls("SELECT name FROM {table}")))


@requires(MEMBER)
def trusting(request: HttpRequest) -> HttpResponse:
    claimed = request.headers.get("X-Tenant-Id") or "00000000-0000-0000-0000-000000000000"
    return HttpResponse(str(past_the_walls("SELECT name FROM {table} WHERE tenant_id = %(id)s", id=claimed)))


@requires(PROJECTS_WRITE)
def by_body(request: HttpRequest) -> HttpResponse:
    found = past_the_walls(
        "UPDATE {table} SET name = 'x' WHERE id = %(id)s RETURNING id", id=request.POST.get("project_id")
    )
    return HttpResponse(str(len(found)))


@public("for everybody who is signed in somewhere")
def whoever(request: HttpRequest) -> HttpResponse:
    return HttpResponse("open")


@requires(MEMBER)
def broken(request: HttpRequest, project_id: UUID) -> HttpResponse:
    raise ZeroDivisionError


def unguarded(request: HttpRequest) -> HttpResponse:
    return HttpResponse("welcome")


LEAKS = {
    "by-id": path("leak/<uuid:project_id>/", by_id, name="leak"),
    "destroying": path("leak/<uuid:project_id>/", destroying, name="leak"),
    "everything": path("leak/", everything, name="leak"),
    "trusting": path("leak/", trusting, name="leak"),
    "by-body": path("leak/", by_body, name="leak"),
    "broken": path("leak/<uuid:project_id>/", broken, name="leak"),
    "unguarded": path("leak/", unguarded, name="leak"),
    "nameless": path("leak/", whoever),
}
urlpatterns = [*sound, LEAKS[getattr(settings, "TEST_LEAK", "nameless")]]
