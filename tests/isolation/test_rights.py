"""Who may do what: every route, asked by everybody, compared with the rules as they are written down here.

Each request is harmless when it is allowed: pages are fetched, unsafe API calls carry a key that is too long,
which is noticed just after the rights.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django_redis import get_redis_connection

from apps.access.decisions import authorize
from apps.access.models import Share
from apps.access.subjects import Subject
from apps.accounts import subjects
from apps.accounts.models import ApiKey, Membership, Session, User
from apps.accounts.roles import Assigned
from apps.accounts.services import api_keys, invitations, members, people, roles, tokens
from apps.core.routes import named_routes
from apps.projects.models import Document, Project
from apps.projects.services import custom_fields, documents
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from apps.tenants.services import profiles
from tests.factories import PASSWORD, Organization, add_document, add_person, add_project, reset

from .test_routes import TENANT_URLS, body, is_api

# -- the rules ---------------------------------------------------------------------------------------------------

EVERYTHING = frozenset(
    "projects:read projects:write projects:delete projects:share billing:view billing:manage users:manage "
    "roles:manage keys:manage settings:manage sso:manage flags:manage audit:view analytics:view "
    "integrations:manage".split()
)
ROLES: dict[str, frozenset[str]] = {
    "owner": EVERYTHING,
    "admin": EVERYTHING - {"billing:manage", "integrations:manage"},
    "member": frozenset({"projects:read", "projects:write", "analytics:view"}),
    "viewer": frozenset({"projects:read"}),
    "nothing": frozenset(),
}
FULL_SIGHT = {"owner", "admin"}
RELATIONS: dict[str | None, frozenset[str]] = {
    None: frozenset(),
    "viewer": frozenset({"projects:read"}),
    "editor": frozenset({"projects:read", "projects:write"}),
    "owner": frozenset({"projects:read", "projects:write", "projects:delete", "projects:share"}),
}
# Every person's, whatever the role; a list shows what one may see.
MEMBER, SEE, LIST = "member", "organization:read", "projects:list"

# What each route needs, method by method; pages check it before they look at the method.
NEEDS: dict[str, dict[str, str]] = {
    "overview": {"GET": SEE},
    "search": {"GET": SEE},
    "projects:list": {"GET": LIST},
    "projects:create": {"GET": "projects:write"},
    "projects:detail": {"GET": "projects:read"},
    "projects:edit": {"GET": "projects:write"},
    "projects:delete": {"GET": "projects:delete"},
    "projects:shares": {"GET": "projects:read"},
    "projects:share": {"GET": "projects:share"},
    "projects:unshare": {"GET": "projects:share"},
    "projects:document-upload": {"GET": "projects:write"},
    "projects:document-link": {"GET": "projects:read"},
    "projects:document-download": {"GET": "projects:read"},
    "projects:document-delete": {"GET": "projects:write"},
    "projects:document-shares": {"GET": "projects:read"},
    "projects:document-share": {"GET": "projects:share"},
    "projects:document-unshare": {"GET": "projects:share"},
    "verify-email": {"GET": MEMBER},
    "members": {"GET": SEE},
    "leave": {"GET": MEMBER},
    "member-role": {"GET": "users:manage"},
    "member-ownership": {"GET": "users:manage"},
    "member-remove": {"GET": "users:manage"},
    "invitations": {"GET": "users:manage"},
    "invite": {"GET": "users:manage"},
    "invitation-resend": {"GET": "users:manage"},
    "invitation-revoke": {"GET": "users:manage"},
    "roles": {"GET": SEE},
    "role-create": {"GET": "roles:manage"},
    "role": {"GET": "roles:manage"},
    "role-delete": {"GET": "roles:manage"},
    "profile": {"GET": MEMBER},
    "send-verification": {"GET": MEMBER},
    "security": {"GET": MEMBER},
    "end-session": {"GET": MEMBER},
    "sign-out-everywhere": {"GET": MEMBER},
    "audit-log": {"GET": "audit:view"},
    "audit-people": {"GET": "audit:view"},
    "verify-chain": {"GET": "audit:view"},
    "api-keys-page": {"GET": "keys:manage"},
    "key-create": {"GET": "keys:manage"},
    "key-revoke": {"GET": "keys:manage"},
    "settings": {"GET": "settings:manage"},
    "logo-upload": {"GET": "settings:manage"},
    "logo-remove": {"GET": "settings:manage"},
    "danger-zone": {"GET": "settings:manage"},
    "brand-logo": {"GET": SEE},
    "projects:fields": {"GET": "settings:manage"},
    "projects:field-create": {"GET": "settings:manage"},
    "projects:field-edit": {"GET": "settings:manage"},
    "projects:field-delete": {"GET": "settings:manage"},
    "api-logout": {"POST": MEMBER},
    "api-logout-everywhere": {"POST": MEMBER},
    "api-me": {"GET": MEMBER, "PATCH": MEMBER},
    "api-password": {"POST": MEMBER},
    "api-verification": {"POST": MEMBER},
    "api-organization": {"GET": "users:manage"},
    "api-members": {"GET": SEE},
    "api-leave": {"POST": MEMBER},
    "api-member": {"GET": SEE, "PATCH": "users:manage", "DELETE": "users:manage"},
    "api-ownership": {"POST": "users:manage"},
    "api-invitations": {"GET": "users:manage", "POST": "users:manage"},
    "api-invitation": {"GET": "users:manage", "DELETE": "users:manage"},
    "api-resend": {"POST": "users:manage"},
    "api-roles": {"GET": SEE, "POST": "roles:manage"},
    "api-role": {"GET": SEE, "PATCH": "roles:manage", "DELETE": "roles:manage"},
    "api-permissions": {"GET": SEE},
    "api-keys": {"GET": "keys:manage", "POST": "keys:manage"},
    "api-key": {"DELETE": "keys:manage"},
    "api-sessions": {"GET": MEMBER},
    "api-session": {"DELETE": MEMBER},
    "api-settings": {"GET": SEE, "PATCH": "settings:manage"},
    "api-logo": {"GET": SEE, "PUT": "settings:manage", "DELETE": "settings:manage"},
    "api-audit-events": {"GET": "audit:view"},
    "api-audit-export": {"GET": "audit:view"},
    "api-projects": {"GET": LIST, "POST": "projects:write"},
    "api-projects-bulk": {"POST": "projects:write"},
    "api-project": {"GET": "projects:read", "PATCH": "projects:write", "DELETE": "projects:delete"},
    "api-documents": {"GET": "projects:read", "POST": "projects:write"},
    "api-document": {"GET": "projects:read", "DELETE": "projects:write"},
    "api-document-content": {"GET": "projects:read"},
    "api-project-shares": {"GET": "projects:read"},
    "api-project-share": {"PUT": "projects:share", "DELETE": "projects:share"},
    "api-document-shares": {"GET": "projects:read"},
    "api-document-share": {"PUT": "projects:share", "DELETE": "projects:share"},
    "api-custom-fields": {"GET": SEE, "POST": "settings:manage"},
    "api-custom-field": {"GET": SEE, "PATCH": "settings:manage", "DELETE": "settings:manage"},
}
# What is open to everybody, and what it answers to an empty request.
OPEN: dict[str, tuple[str, int]] = {
    "account_login": ("GET", 200),
    "account_logout": ("GET", 405),
    "theme": ("GET", 405),
    "account_signup": ("GET", 302),
    "handoff": ("GET", 302),
    "visit": ("GET", 302),
    "visit-end": ("GET", 405),
    "set-password": ("GET", 200),
    "reset-password": ("GET", 200),
    "accept-invitation": ("GET", 200),
    "brand-css": ("GET", 200),
    "mailed-logo": ("GET", 403),
    "api-login": ("POST", 400),
    "api-refresh": ("POST", 400),
    "api-validate": ("POST", 401),
    "api-accept": ("POST", 400),
    "api-password-reset": ("POST", 400),
    "api-find-organizations": ("POST", 400),
    "api-schema": ("GET", 200),
    "api-docs": ("GET", 200),
    "jwks": ("GET", 200),
}
ALLOWED, FORBIDDEN, INVISIBLE, UNKNOWN = "allowed", "forbidden", "invisible", "not signed in"


@dataclass(frozen=True)
class Caller:
    """A person with a role, a program with a key, or nobody."""

    kind: str
    role: str = ""
    rights: frozenset[str] = frozenset()

    @property
    def has(self) -> frozenset[str]:
        if self.kind == "person":
            return self.rights | {MEMBER, SEE, LIST}
        listing = {LIST} if "projects:read" in self.rights else set()
        seeing = {SEE} if self.rights & {"users:manage", "roles:manage", "settings:manage"} else set()
        return self.rights | listing | seeing


@dataclass(frozen=True)
class Case:
    """A project with one document, and what every caller is to them."""

    is_private: bool = False
    to_project: str | None = None
    to_document: str | None = None

    def granted(self, route: str) -> frozenset[str]:
        """What the relations grant on what a route is about; a project's cover its documents."""
        return RELATIONS[self.to_project] | (RELATIONS[self.to_document] if about_document(route) else frozenset())


def verdict(caller: Caller, route: str, need: str, case: Case | None = None) -> str:
    if caller.kind == "nobody":
        return UNKNOWN
    if not about_project(route):
        return ALLOWED if need in caller.has else FORBIDDEN
    case = case or Case()
    by_role = frozenset() if case.is_private and caller.role not in FULL_SIGHT else caller.has
    by_relation = case.granted(route) if caller.kind == "person" else frozenset()
    granted = by_role | by_relation
    if "projects:read" not in granted:
        return INVISIBLE
    return ALLOWED if need in granted else FORBIDDEN


def about_project(route: str) -> bool:
    return "project_id" in PATHS[route]


def about_document(route: str) -> bool:
    return "document_id" in PATHS[route]


PATHS = {name: set(pattern.pattern.converters) for name, pattern in named_routes(TENANT_URLS)}
ABOUT_PROJECTS = [name for name in NEEDS if about_project(name)]
CASES = [Case(*parts) for parts in itertools.product([False, True], RELATIONS, RELATIONS)]
MIXED = {("viewer", "owner"), ("owner", "viewer")}
# For requests: one relation at a time, and two that differ; all of them are tried on ``authorize`` itself.
ASKED_CASES = [c for c in CASES if None in (found := (c.to_project, c.to_document)) or found in MIXED]
NOBODY = Caller("nobody")
PEOPLE = {name: Caller("person", name, rights) for name, rights in ROLES.items()}


def only(kind: str, *rights: str) -> Caller:
    return Caller(kind, "custom", frozenset(rights))


def callers(need: str) -> list[Caller]:
    """Those whom it makes a difference to: the roles, the one permission, all but the one, by person and key."""
    if need not in EVERYTHING:
        return [*PEOPLE.values(), NOBODY, only("key", "projects:read"), only("key", "users:manage")]
    narrow = [only(kind, need) for kind in ("person", "key")]
    wide = [only(kind, *EVERYTHING - {need}) for kind in ("person", "key")]
    return [*PEOPLE.values(), NOBODY, *narrow, *wide]


RELATED = [*PEOPLE.values(), only("person", "projects:write"), only("key", "projects:read")]


# -- the stage ---------------------------------------------------------------------------------------------------


@dataclass
class Stage:
    """One organization with everybody and everything in it, made when first asked for."""

    organization: Organization
    ids: dict[str, Any] = field(default_factory=dict)
    cases: dict[Case, Document] = field(default_factory=dict)
    _members: dict[Caller, Membership] = field(default_factory=dict)
    _keys: dict[Caller, tuple[ApiKey, str]] = field(default_factory=dict)
    _programs: dict[Caller, Client] = field(default_factory=dict)
    _browsers: dict[Caller, Client] = field(default_factory=dict)

    def member(self, caller: Caller) -> Membership:
        if caller not in self._members:
            self._members[caller] = self._join(caller)
        return self._members[caller]

    def key(self, caller: Caller) -> tuple[ApiKey, str]:
        if caller not in self._keys:
            self._keys[caller] = api_keys.create_api_key(
                actor=self.organization.subject, name="key", scopes=sorted(caller.rights)
            )
        return self._keys[caller]

    def subject(self, caller: Caller) -> Subject:
        if caller.kind == "key":
            return subjects.of_api_key(self.key(caller)[0])
        return subjects.of_membership(self.member(caller))

    def program(self, caller: Caller) -> Client:
        """A client of the API with a token or key."""
        if caller not in self._programs:
            bearer = self.key(caller)[1] if caller.kind == "key" else tokens.issue(self.member(caller)).access
            self._programs[caller] = self.client(HTTP_AUTHORIZATION=f"Bearer {bearer}")
        return self._programs[caller]

    def browser(self, caller: Caller) -> Client:
        if caller not in self._browsers:
            browser = self.client()
            answer = browser.post("/sign-in/", {"login": self.member(caller).email, "password": PASSWORD})
            assert answer.status_code == 302
            self._browsers[caller] = browser
        return self._browsers[caller]

    def client(self, **headers: str) -> Client:
        return Client(HTTP_HOST=self.organization.host, raise_request_exception=False, **headers)

    def ways_of(self, caller: Caller, route: str) -> list[Client]:
        """A browser for pages; for the API tokens and keys, and a browser's session for the roles."""
        if caller.kind == "nobody":
            return [self.client()]
        if not is_api(route):
            return [self.browser(caller)] if caller.kind == "person" else []
        return [self.program(caller)] + ([self.browser(caller)] if caller in PEOPLE.values() else [])

    def document(self, case: Case) -> Document:
        """That of a case, in its project, to which everybody has the same relations."""
        if case not in self.cases:
            project = add_project(self.organization)
            self.cases[case] = add_document(self.organization, project)
            with self.organization.inside():
                Project.objects.filter(id=project.id).update(is_private=case.is_private)
                self._relate("project", project.id, case.to_project)
                self._relate("document", self.cases[case].id, case.to_document)
                self.cases[case] = Document.objects.select_related("project").get(id=self.cases[case].id)
        return self.cases[case]

    def address(self, route: str, caller: Caller, case: Case) -> str:
        document = self.document(case)
        ids = {**self.ids, "project_id": document.project_id, "document_id": document.id}
        if route == "verify-email" and caller.kind == "person":
            ids["token"] = people.make_verification_token(self.member(caller).user)
        path = reverse(route, kwargs={name: ids[name] for name in PATHS[route]}, urlconf=TENANT_URLS)
        if route == "projects:document-download" and caller.kind == "person":
            with self.organization.inside():
                signature = documents.sign_download(document=document, subject=self.subject(caller))
            path += f"?signature={signature}"
        return path

    def _join(self, caller: Caller) -> Membership:
        user = add_person(self.organization, caller.role if caller.role in ROLES and caller.rights else "viewer")
        with control("look a member up"):
            member = Membership.objects.select_related("user", "tenant", "custom_role").get(user=user)
        if caller.role not in ROLES or not caller.rights:
            owner = self.organization.subject
            role = roles.create_role(actor=owner, name=f"role {user.id}", permissions=sorted(caller.rights))
            members.change_role(actor=owner, member_id=member.id, role=Assigned("custom", role))
            with control("look a member up"):
                member = Membership.objects.select_related("user", "tenant", "custom_role").get(user=user)
        return member

    def _relate(self, kind: str, object_id: Any, relation: str | None) -> None:
        everybody = [self.member(caller).user_id for caller in RELATED if caller.kind == "person"]
        if relation is not None:
            Share.objects.bulk_create(
                Share(user_id=user_id, relation=relation, object_type=kind, object_id=object_id)
                for user_id in everybody
            )


@pytest.fixture(scope="module")
def stage(platform) -> Iterator[Stage]:
    get_redis_connection("default").flushdb()
    organization = platform["schema"][0]
    stage = Stage(organization)
    furnish(stage)
    yield stage
    reset([organization])
    with control("clean up after the tests"):
        Session.objects.all().delete()
        User.objects.filter(memberships=None).delete()
    get_redis_connection("default").flushdb()


def furnish(stage: Stage) -> None:
    """One of everything that a route may be about."""
    owner, target = stage.organization.subject, add_person(stage.organization)
    invitation = invitations.invite(actor=owner, email="guest@example.com", role=Assigned("viewer"))
    with stage.organization.inside():
        custom = custom_fields.define_custom_field(actor=owner, key="stage", label="Stage", kind="text")
        logo = SimpleUploadedFile("logo.png", b"\x89PNG\r\n\x1a\n" + bytes(16))
        profiles.set_logo(actor=owner, tenant_id=owner.tenant_id, upload=logo)
    with control("look a member up"), atomic():
        member_id = Membership.objects.get(user=target).id
    stage.ids = {
        "user_id": target.id,
        "member_id": member_id,
        "invitation_id": invitation.id,
        "token": invitations.make_token(invitation),
        "role_id": roles.create_role(actor=owner, name="Target", permissions=[]).id,
        "key_id": api_keys.create_api_key(actor=owner, name="Target", scopes=["audit:view"])[0].id,
        "session_id": invitation.id,
        "field_id": custom.id,
    }


# -- the matrix --------------------------------------------------------------------------------------------------


def test_routes__all__are_in_the_tables():
    declared = {name: methods_of(pattern.callback) for name, pattern in named_routes(TENANT_URLS)}

    assert set(NEEDS) | set(OPEN) == set(declared)
    assert not set(NEEDS) & set(OPEN)
    for name, needs in NEEDS.items():
        assert set(needs) == declared[name], name


@pytest.mark.parametrize("route", NEEDS)
def test_route__asked_by_everybody__answers_as_the_rules_say(stage, route):
    for method, need in NEEDS[route].items():
        for caller in callers(need):
            expected = verdict(caller, route, need)
            for client in stage.ways_of(caller, route):
                assert ask(stage, client, caller, method, route) == expected, (method, caller)


@pytest.mark.parametrize("route", ABOUT_PROJECTS)
def test_route__about_a_project__answers_as_the_relations_say(stage, route):
    cases = [c for c in ASKED_CASES if about_document(route) or c.to_document in (None, "owner")]
    for method, need in NEEDS[route].items():
        for case, caller in itertools.product(cases, RELATED):
            expected = verdict(caller, route, need, case)
            for client in stage.ways_of(caller, route)[:1]:
                assert ask(stage, client, caller, method, route, case) == expected, (method, caller, case)


@pytest.mark.parametrize("route", OPEN)
def test_route__open_to_everybody__answers_the_anonymous(stage, route):
    method, status = OPEN[route]

    response = send(stage.client(), method, stage.address(route, NOBODY, Case()))

    assert response.status_code == status


@pytest.mark.parametrize("caller", RELATED, ids=lambda c: f"{c.kind} {c.role} {len(c.rights)}")
def test_lists__of_projects__show_what_the_rules_let_one_see(stage, caller):
    shown = {case for case in CASES if verdict(caller, "api-project", "projects:read", case) == ALLOWED}
    everything = {stage.document(case).project_id: case for case in CASES}

    if LIST in caller.has:
        listed = stage.program(caller).get("/api/v1/projects?page_size=100").json()["results"]
        assert {everything[key] for p in listed if (key := uuid(p["id"])) in everything} == shown
    if caller.kind == "person":
        pages = [stage.browser(caller).get(f"/projects/?page={number}").content.decode() for number in (1, 2)]
        assert {case for key, case in everything.items() if any(str(key) in page for page in pages)} == shown


ASKED = [*RELATIONS["owner"], "settings:manage", "users:manage", MEMBER]


@pytest.mark.parametrize("caller", RELATED, ids=lambda c: f"{c.kind} {c.role} {len(c.rights)}")
def test_authorize__about_one_thing__follows_role_privacy_and_relation(stage, caller):
    subject = stage.subject(caller)
    with stage.organization.inside():
        for case, need in itertools.product(CASES, ASKED):
            document = stage.document(case)
            by_role = need in caller.has and (not case.is_private or caller.role in FULL_SIGHT)
            for thing, route in [(document.project, "api-project"), (document, "api-document")]:
                by_relation = caller.kind == "person" and need in case.granted(route)
                assert bool(authorize(subject, need, thing)) == (by_role or by_relation), (need, case, thing)


@pytest.mark.parametrize("need", [*sorted(EVERYTHING), MEMBER, LIST])
def test_authorize__about_nothing_in_particular__follows_the_role(stage, need):
    for caller in callers(need):
        subject = None if caller.kind == "nobody" else stage.subject(caller)
        assert bool(authorize(subject, need)) == (need in caller.has and caller.kind != "nobody"), caller


# -- asking ------------------------------------------------------------------------------------------------------


def ask(stage: Stage, client: Client, caller: Caller, method: str, route: str, case: Case | None = None) -> str:
    response = send(client, method, stage.address(route, caller, case or Case()))
    body(response)  # a stream ends before the next question
    if response.status_code == 302 and "/sign-in/" in response["Location"]:
        return UNKNOWN
    refusals = {401: UNKNOWN, 403: FORBIDDEN, 404: INVISIBLE}
    if response.status_code in refusals:
        return refusals[response.status_code]
    assert reached(response, method, route), (response.status_code, response.content[:300])
    return ALLOWED


def reached(response: Any, method: str, route: str) -> bool:
    """Whether the answer is that of a view that was let through, and of one that did nothing."""
    if not is_api(route):
        return response.status_code in (200, 302, 405)
    if method == "GET":
        return bool(response.status_code == 200)
    if response.status_code == 415:  # what is sent is read after the rights
        return route in ("api-documents", "api-logo")
    return response.status_code == 400 and response.json()["code"] == "invalid_idempotency_key"


def send(client: Client, method: str, address: str) -> Any:
    if method == "GET":
        return client.get(address)
    headers = {"Idempotency-Key": "x" * 256}
    return client.generic(method, address, b"{}", content_type="application/json", headers=headers)


def methods_of(callback: Any) -> set[str]:
    """The methods that a view of the API declares; of pages just GET, which is what they are asked with."""
    api = getattr(callback, "cls", None)
    if api is None or getattr(api, "public_because", ""):
        return {"GET"}
    return {name.upper() for name in api.http_method_names if hasattr(api, name)} - {"OPTIONS"}


def uuid(text: str) -> Any:
    return Project._meta.pk.to_python(text)
