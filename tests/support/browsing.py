"""The product in a real browser: pages with what went wrong on them, and all that there are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.test import Client
from django.urls import Resolver404, resolve
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from apps.accounts.models import SupportVisit, User
from apps.accounts.roles import Assigned
from apps.accounts.services import api_keys, invitations, members, people, roles, visits
from apps.audit.actors import SYSTEM
from apps.audit.models import ControlEvent
from apps.fleet.models import MigrationRun, MigrationWave, Quarantine
from apps.projects.services import custom_fields
from apps.staff import services as staff
from apps.tenancy.context import control
from apps.tenancy.schemas.release import this_release
from apps.tenants import traffic
from apps.tenants.models import Domain, Placement, Pool, Tenant
from apps.tenants.services.profiles import update_profile
from apps.tenants.traffic import Figures
from tests.support.factories import PASSWORD, Organization, add_document, add_person, add_project
from tests.support.routes import NEEDS, TENANT_URLS, Anybody, address_of, is_api
from tests.support.things import stock

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser. Its driver keeps an event loop in this thread, which Django takes for asynchronous code."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


# -- one visitor --------------------------------------------------------------------------------------------------


@dataclass
class Visitor:
    """Somebody with a browser window of their own; ``complaints`` is what the console said."""

    page: Page
    port: int
    complaints: list[str] = field(default_factory=list)
    status: int = 0

    def go(self, host: str, path: str = "/") -> None:
        response = self.page.goto(f"http://{host}:{self.port}{path}")
        self.status = response.status if response else 0
        self.page.wait_for_load_state("networkidle")

    def sign_in(self, organization: Organization, email: str = "", password: str = PASSWORD) -> None:
        self.go(organization.host, "/sign-in/")
        self.page.fill("[name=login]", email or organization.owner.email)
        self.page.fill("[name=password]", password)
        self.page.click("main button[type=submit]")
        self.page.wait_for_url(f"http://{organization.host}:{self.port}/")

    def sign_in_as_staff(self, email: str, password: str = PASSWORD) -> None:
        self.go("localhost", "/admin/login/?next=/admin/")
        self.page.fill("[name=username]", email)
        self.page.fill("[name=password]", password)
        self.page.click("button[type=submit]")
        self.page.wait_for_url(f"http://localhost:{self.port}/admin/")

    @property
    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return max(0, int(self.page.evaluate(script)))


def visit(browser: Browser, port: int, **options: Any) -> Visitor:
    """A new window; ``options`` are those of a Playwright context: color_scheme, viewport …"""
    visitor = Visitor(browser.new_context(**options).new_page(), port)

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            visitor.complaints.append(message.text)

    visitor.page.on("console", listen)
    visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
    return visitor


# -- an organization with something to see --------------------------------------------------------------------------

NAMES = ("Amara Okafor", "Jonas Weber", "Mei Tanaka", "Luis Ortega")
PROJECTS = ("Website relaunch", "Office move", "Hiring plan", "Annual report")


@dataclass
class Scene:
    """An organization with people, projects, documents, invitations and a role of its own."""

    organization: Organization
    project: Any
    role: Any
    invitation: Any
    colleague: Any
    document: Any


def furnish(organization: Organization) -> Scene:
    for name, role in zip(NAMES, ("owner", "admin", "member", "viewer"), strict=True):
        user = organization.owner if role == "owner" else add_person(organization, role)
        colleague = _call(organization, user, name)
    for name in reversed(PROJECTS):
        project = add_project(organization, name)
        document = add_document(organization, project, b"a page of text\n" * 400)
    with organization.inside():
        actor = organization.subject
        role = roles.create_role(actor=actor, name="Bookkeeper", permissions=["projects:read", "billing:view"])
        invitation = invitations.invite(actor=actor, email="new@example.com", role=Assigned("member"))
        custom_fields.define_custom_field(actor=actor, key="budget", label="Budget", kind="number")
        api_keys.create_api_key(actor=actor, name="Continuous integration", scopes=["projects:read"])
    with control("rename"):
        Tenant.objects.filter(id=organization.tenant.id).update(name="Acme GmbH")
    return Scene(organization, project, role, invitation, colleague, document)


def speak(organization: Organization, locale: str) -> None:
    """Have the organization's pages in this language, for all who have not chosen another."""
    update_profile(actor=organization.subject, tenant_id=organization.tenant.id, locale=locale)


def _call(organization: Organization, user: Any, name: str) -> Any:
    with control("find a member"):
        member = user.memberships.get(tenant=organization.tenant)
    return members.update_profile(actor=organization.subject, member_id=member.id, name=name)


def employ(scene: Scene) -> User:
    """A superuser, with a visit, figures and an event that is stuck for the pages of staff to show."""
    person = staff.appoint(email="ada@staff.example", password=PASSWORD, is_superuser=True, actor=SYSTEM)
    visits.grant(tenant_id=scene.organization.tenant.id, user_id=person.pk, reason="Ticket 4711")
    traffic.recorder.note(scene.organization.tenant.id, Figures(requests=1200, errors=2, ms=40_000, bytes=10**6))
    traffic.recorder.note(uuid4(), Figures(requests=100, ms=2_000))
    traffic.recorder.flush()
    _migrate_a_fleet()
    return person


def _migrate_a_fleet() -> None:
    """A run of which one schema was left behind, as it would have been noted."""
    with control("note a migration"):
        if Quarantine.objects.exists():
            return
        run = MigrationRun.objects.create(
            fingerprint=this_release().fingerprint, started_by="migrate_fleet", status="incomplete"
        )
        for number, (name, schemas, failed) in enumerate([("canary", 3, 0), ("pools", 2, 0), ("schemas", 412, 1)], 1):
            MigrationWave.objects.create(
                run=run, number=number, name=name, schemas=schemas, done=schemas - failed, failed=failed
            )
        MigrationRun.objects.update(finished_at=run.started_at + timedelta(seconds=2.4))
        error = "canceling statement due to lock timeout"
        Quarantine.objects.create(schema="t_5c1f00dcafe01234", fingerprint=run.fingerprint, error=error, attempts=2)


# -- all pages ----------------------------------------------------------------------------------------------------

Address = Callable[[Scene], str]


def _at(path: str) -> Address:
    return lambda scene: path


# By the name of its picture: the path, on the organization's host, for its owner.
TENANT_PAGES: dict[str, Address] = {
    "overview": _at("/"),
    "projects": _at("/projects/"),
    "project-new": _at("/projects/new/"),
    "project": lambda scene: f"/projects/{scene.project.id}/",
    "project-edit": lambda scene: f"/projects/{scene.project.id}/edit/",
    "project-delete": lambda scene: f"/projects/{scene.project.id}/delete/",
    "project-sharing": lambda scene: f"/projects/{scene.project.id}/shares/",
    "project-share": lambda scene: f"/projects/{scene.project.id}/share/",
    "document-sharing": lambda scene: f"/projects/{scene.project.id}/documents/{scene.document.id}/shares/",
    "document-share": lambda scene: f"/projects/{scene.project.id}/documents/{scene.document.id}/share/",
    "search": _at("/search/?q=re"),
    "members": _at("/members/"),
    "member-role": lambda scene: f"/members/{scene.colleague.id}/role/",
    "member-remove": lambda scene: f"/members/{scene.colleague.id}/remove/",
    "leave": _at("/members/leave/"),
    "invitations": _at("/invitations/"),
    "invite": _at("/invitations/new/"),
    "roles": _at("/roles/"),
    "role": lambda scene: f"/roles/{scene.role.id}/",
    "api-keys": _at("/api-keys/"),
    "api-key-new": _at("/api-keys/new/"),
    "audit-log": _at("/audit/"),
    "ended-accesses": _at("/audit/ended/"),
    "profile": _at("/profile/"),
    "security": _at("/security/"),
    "settings": _at("/settings/"),
    "settings-fields": _at("/settings/fields/"),
    "settings-field-new": _at("/settings/fields/new/"),
    "settings-danger": _at("/settings/danger/"),
    "not-found": _at("/nothing-here/"),
}
# On the organization's host, for somebody who is not signed in.
ENTRY_PAGES: dict[str, Address] = {
    "sign-in": _at("/sign-in/"),
    "reset-password": _at("/sign-in/reset/"),
    "set-password": lambda scene: f"/sign-in/password/{scene.organization.owner.id}/{_token(scene)}/",
    "accept-invitation": lambda scene: f"/invitation/{invitations.make_token(scene.invitation)}/",
}
APEX_PAGES: dict[str, Address] = {
    "landing": _at("/"),
    "sign-up": _at("/sign-up/"),
    "choose-organization": _at("/sign-in/"),
    "find-organizations": _at("/find-organizations/"),
    "status": _at("/status/"),
    "dev-inbox": _at("/dev/inbox/"),
    "dev-mails": _at("/dev/mails/"),
    "components": _at("/dev/components/"),
}


# Where the platform is run, for a superuser.
STAFF_PAGES: dict[str, Address] = {
    "staff-dashboard": _at("/admin/"),
    "staff-tenants": _at("/admin/tenants/tenant/"),
    "staff-tenant": lambda scene: f"/admin/tenants/tenant/{scene.organization.tenant.id}/change/",
    "staff-enter": lambda scene: f"/admin/tenants/tenant/{scene.organization.tenant.id}/enter/",
    "staff-hold": lambda scene: f"/admin/tenants/tenant/{scene.organization.tenant.id}/hold/",
    "staff-release": lambda scene: f"/admin/tenants/tenant/{scene.organization.tenant.id}/release/",
    "staff-resume": lambda scene: f"/admin/tenants/tenant/{scene.organization.tenant.id}/resume/",
    "staff-domains": _at("/admin/tenants/domain/"),
    "staff-domain": lambda scene: _row("tenants/domain", Domain.objects.filter(tenant=scene.organization.tenant)),
    "staff-memberships": _at("/admin/accounts/membership/"),
    "staff-membership": lambda scene: f"/admin/accounts/membership/{scene.colleague.id}/change/",
    "staff-users": _at("/admin/accounts/user/"),
    "staff-user": lambda scene: f"/admin/accounts/user/{scene.organization.owner.id}/change/",
    "staff-visits": _at("/admin/accounts/supportvisit/"),
    "staff-visit": lambda scene: _row("accounts/supportvisit", SupportVisit.objects.all()),
    "staff-placements": _at("/admin/tenants/placement/"),
    "staff-placement": lambda scene: _row("tenants/placement", Placement.objects.filter(kind="schema")),
    "staff-pools": _at("/admin/tenants/pool/"),
    "staff-pool": lambda scene: _row("tenants/pool", Pool.objects.all()),
    "staff-audit-log": _at("/admin/audit/controlevent/"),
    "staff-event": lambda scene: _row("audit/controlevent", ControlEvent.objects.all()),
    "staff-outbox": _at("/admin/outbox/"),
    "staff-fleet": _at("/admin/fleet/"),
    "staff-app": _at("/admin/tenants/"),
}


def _row(path: str, rows: Any) -> str:
    with control("find a row"):
        return f"/admin/{path}/{rows.order_by('pk').first().pk}/change/"


def _token(scene: Scene) -> str:
    return people.make_password_token(scene.organization.owner)


def pages(scene: Scene) -> Iterator[tuple[str, str, str, bool]]:
    """Every page: its name, host and path, and whether it is looked at by the owner, signed in."""
    host = scene.organization.host
    for name, address in APEX_PAGES.items():
        yield name, "localhost", address(scene), False
    for name, address in ENTRY_PAGES.items():
        yield name, host, address(scene), False
    for name, address in TENANT_PAGES.items():
        yield name, host, address(scene), True


def other_pages(scene: Scene) -> Iterator[tuple[str, str, str, bool]]:
    """What routes show besides the pages above, with a thing of each kind: a new page is looked at unasked.

    A part of a page, which HTMX asks for, is none.
    """
    host, things = scene.organization.host, stock(scene.organization).arguments()
    tables = (*TENANT_PAGES.values(), *ENTRY_PAGES.values())
    shown = {_route_at(address(scene)) for address in tables}
    owner = Client(HTTP_HOST=host)
    owner.post("/sign-in/", {"login": scene.organization.owner.email, "password": PASSWORD})
    for route, needs in NEEDS.items():
        if route in shown or is_api(route) or isinstance(needs.get("GET"), Anybody):
            continue
        address = address_of(route, things)
        response = owner.get(address)
        if response.status_code == 200 and b"</html>" in response.content:
            yield route, host, address, True


def _route_at(path: str) -> str:
    try:
        return str(resolve(path.partition("?")[0], urlconf=TENANT_URLS).view_name)
    except Resolver404:
        return ""
