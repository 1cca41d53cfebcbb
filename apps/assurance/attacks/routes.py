"""Every route of the application, tried by one organization's owner with another's ids and at another's host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings

from ..checks import Wall, Watch
from ..errors import CannotRun
from ..targets import Pair, Target
from .register import attack
from .visitor import METHODS, Route, RouteAnswer, Visitor, apex_routes, nameless_routes, tenant_routes

FAULT = 500
INVALID = {400, 422}  # of one's own thing a wrong body may be said before a wrong id is
UNSAFE_METHODS = ("POST", "PUT", "PATCH")
LAST = "attack.bodies"  # it may well undo the attacker's own organization


@attack(
    "bait",
    Wall.ROUTES,
    "The bait can be seen by its owner",
    tries="Opens the victim's own pages and API as the victim, and looks for the marker that its rows carry.",
    why="An attack that finds nothing proves something only if there is something to find.",
)
def bait(pair: Pair, watch: Watch) -> None:
    victim = pair.victim
    browser, program = _browser(victim, victim.host), _program(victim, victim.host)
    shown = []
    for route in tenant_routes():
        if not route.is_public:
            for path in route.paths(victim):
                watch.attempts += 1
                visitor = program if route.is_api else browser
                if visitor.send("GET", path).shows(victim.marker):
                    shown.append(route.name)
    if not shown:
        raise CannotRun("The victim does not see its own marker anywhere.")
    watch.remarks.append(f"{len(set(shown))} routes show the victim its marker, among them {', '.join(shown[:4])}")


@attack(
    "foreign-ids",
    Wall.ROUTES,
    "Foreign ids lead nowhere",
    tries="Sends every method to every route that takes an id, with the victim's ids, as the attacker's signed-in "
    "owner and with the attacker's token; where a route takes two ids, also with the attacker's own in front.",
    why="Guessing or having seen an id must never be enough: whoever asks for another's thing is told it is not there.",
)
def foreign_ids(pair: Pair, watch: Watch) -> None:
    attacker, victim = pair.attacker, pair.victim
    browser, program = _browser(attacker, attacker.host), _program(attacker, attacker.host)
    for pattern in nameless_routes():
        watch.expect(False, f"the route {pattern} has no name, so nobody can try it")
    for route in tenant_routes():
        if not route.arguments:
            continue
        foreign, visitors = set(route.paths(victim)), (program, browser) if route.is_api else (browser,)
        for path in foreign | set(route.paths(victim, first=attacker)):
            for method in METHODS:
                for visitor in visitors:
                    answer = visitor.send(method, path, as_json=route.is_api)
                    if path in foreign or answer.status not in INVALID:
                        _refused(watch, route, method, answer, victim)


@attack(
    "lists",
    Wall.ROUTES,
    "Lists and pages show one organization, whatever the headers claim",
    tries="Opens every route that takes no id at the attacker's own host, plainly and with headers, cookies and "
    "parameters that claim to be the victim (X-Tenant-Id, X-Forwarded-Host, Forwarded, ?tenant_id= …).",
    why="A tenant that the client names is a tenant that the client chooses.",
)
def lists(pair: Pair, watch: Watch) -> None:
    attacker, victim = pair.attacker, pair.victim
    browser, program = _browser(attacker, attacker.host), _program(attacker, attacker.host)
    for route in tenant_routes():
        if not route.arguments:
            visitor = program if route.is_api else browser
            _silent(watch, route, "GET", visitor.send("GET", route.path({})), victim)
            path = f"{route.path({})}?{_forged_parameters(victim)}"
            _silent(
                watch,
                route,
                "GET with forged headers",
                visitor.send("GET", path, headers=_forged_headers(victim)),
                victim,
            )


@attack(
    "foreign-host",
    Wall.ROUTES,
    "Sessions, tokens and keys are worth nothing at another host",
    tries="Opens every route at the victim's host with the attacker's session cookie, access token and API key.",
    why="Being somebody is not the same as being somebody here.",
)
def foreign_host(pair: Pair, watch: Watch) -> None:
    attacker, victim = pair.attacker, pair.victim
    browser = _browser(attacker, victim.host)
    programs = [_program(attacker, victim.host), Visitor(victim.host, bearer=attacker.api_key)]
    for route in tenant_routes():
        if route.is_public:
            continue
        for path in route.paths(victim):
            for visitor in (*programs, browser) if route.is_api else (browser,):
                for method in ("GET", "POST", "DELETE"):
                    _refused(watch, route, method, visitor.send(method, path, as_json=route.is_api), victim)


@attack(
    "apex",
    Wall.ROUTES,
    "The base domain and the staff's pages are no way around",
    tries="Sends the attacker's token with the victim's ids to the API of the base domain, and the attacker's session "
    "to every page of the staff.",
    why="At the base domain no host says which organization is meant: the token alone has to.",
)
def apex(pair: Pair, watch: Watch) -> None:
    attacker, victim, host = pair.attacker, pair.victim, settings.BASE_DOMAIN
    browser, program = _browser(attacker, host), _program(attacker, host)
    for route in apex_routes():
        if route.is_public or not (route.is_api or route.is_for_staff):
            continue
        for path in route.paths(victim):
            if route.is_for_staff:
                _refused(watch, route, "GET", browser.send("GET", path), victim)
            elif route.arguments:
                for method in METHODS:
                    _refused(watch, route, method, program.send(method, path, as_json=True), victim)
            else:
                answer = program.send("GET", path, headers=_forged_headers(victim))
                _silent(watch, route, "GET with forged headers", answer, victim)


@attack(
    "unknown-host",
    Wall.ROUTES,
    "An unknown or disguised host is nobody's",
    tries="Asks for unknown hosts, and for hosts that merely contain the victim's, with the attacker's session.",
    why="What is looked up by a careless comparison is found by a careful attacker.",
)
def unknown_host(pair: Pair, watch: Watch) -> None:
    session = pair.attacker.new_session()
    victim = pair.victim.host
    for host in (f"x.{victim}", f"{victim}.example", f"x{victim}", "nobody.example", f"{victim}.", f"{victim}@x"):
        answer = Visitor(host, session=session).send("GET", "/", headers={"HTTP_X_FORWARDED_HOST": victim})
        held = answer.status in {400, 404} or answer.is_refusal
        watch.expect(held, f"Host: {host} answered {answer.status}")
        watch.expect(not answer.shows(pair.victim.marker), f"Host: {host} showed the victim's marker")


@attack(
    "bodies",
    Wall.ROUTES,
    "Foreign ids in forms and bodies lead nowhere",
    tries="Posts forms and JSON that carry the victim's ids under every name to each route that changes something of "
    "the attacker's organization; routes that reach other companies are left out.",
    why="An id in a body is checked by different code than one in an address, and by less of it.",
)
def bodies(pair: Pair, watch: Watch) -> None:
    attacker, victim = pair.attacker, pair.victim
    browser, program = _browser(attacker, attacker.host), _program(attacker, attacker.host)
    for route in tenant_routes():
        if route.arguments or route.is_public:
            continue
        visitor = program if route.is_api else browser
        for method in UNSAFE_METHODS if route.is_api else ("POST",):
            if route.changes_the_organization_only(method):
                for body in _bodies(victim):
                    _silent(
                        watch, route, method, visitor.send(method, route.path({}), body, as_json=route.is_api), victim
                    )


def _bodies(victim: Target) -> Iterator[dict[str, Any]]:
    """The victim's ids under every name that a form or serializer may have for them."""
    ids = {name: str(found) for name, found in victim.ids.items()}
    words = {part for route in tenant_routes() for part in route.arguments if part.endswith("_id")}
    named = {word: found for word in words for name, found in ids.items() if word.removesuffix("_id") in name}
    named |= {f"{name}_id": found for name, found in ids.items()}
    claim = {"tenant": str(victim.tenant.id), "tenant_id": str(victim.tenant.id), "organization": victim.tenant.slug}
    yield {"name": "overwritten", **claim, **ids, **named}
    every = sorted(set(ids.values()))
    yield {
        **claim,
        "id": ids["project"] if "project" in ids else every[0],
        "ids": every,
        "create": [{"id": found, "name": found} for found in every],
        "update": [{"id": found, "name": "overwritten"} for found in every],
        "delete": every,
    }


def _forged_headers(victim: Target) -> dict[str, str]:
    tenant = str(victim.tenant.id)
    return {
        "HTTP_X_TENANT_ID": tenant,
        "HTTP_X_TENANT": victim.tenant.slug,
        "HTTP_X_ORGANIZATION": victim.tenant.slug,
        "HTTP_X_FORWARDED_HOST": victim.host,
        "HTTP_X_ORIGINAL_HOST": victim.host,
        "HTTP_X_HOST": victim.host,
        "HTTP_FORWARDED": f"host={victim.host}",
        "HTTP_X_ORIGINAL_URL": f"http://{victim.host}/",
        "HTTP_ORIGIN": f"http://{victim.host}",
    }


def _forged_parameters(victim: Target) -> str:
    return f"tenant={victim.tenant.slug}&tenant_id={victim.tenant.id}&organization={victim.tenant.slug}"


def _browser(target: Target, host: str) -> Visitor:
    return Visitor(host, session=target.new_session())


def _program(target: Target, host: str) -> Visitor:
    return Visitor(host, bearer=target.tokens.access)


def _refused(watch: Watch, route: Route, method: str, answer: RouteAnswer, victim: Target) -> None:
    """A public route may answer, but not with what is the victim's."""
    if answer.status < FAULT:
        held = answer.is_refusal or route.is_public
        watch.expect(held, f"{method} {route.name} answered {answer.status} instead of refusing")
    _silent(watch, route, method, answer, victim)


def _silent(watch: Watch, route: Route, method: str, answer: RouteAnswer, victim: Target) -> None:
    if answer.status >= FAULT:
        watch.faults.append(f"{method} {route.name} answered {answer.status} ({answer.error})")
    watch.expect(not answer.shows(victim.marker), f"{method} {route.name} showed the victim's marker")
