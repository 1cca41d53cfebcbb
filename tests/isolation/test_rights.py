"""Who may do what: every route, asked by everybody, compared with the rules as they are written down here.

Each request is harmless when it is allowed: pages are fetched, unsafe API calls carry a key that is too long,
which is noticed just after the rights.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.test import Client
from django.utils import timezone

from apps.access.decisions import authorize
from apps.access.models import Share
from apps.access.subjects import ANONYMOUS, Subject
from apps.accounts import subjects
from apps.accounts.models import ApiKey, Membership, Session
from apps.accounts.roles import Assigned
from apps.accounts.services import api_keys, invitations, members, people, roles, tokens
from apps.projects.models import Document, Project
from apps.projects.services import documents
from apps.tenancy.context import control
from apps.tenancy.planes import TENANT, plane_of
from tests.support.completeness import assert_complete
from tests.support.factories import PASSWORD, Organization, add_document, add_person, add_project
from tests.support.routes import LIST, MEMBER, NEEDS, OPEN, PATTERNS, SEE, address_of, arguments_of, body, is_api
from tests.support.things import THINGS, Belongings, stock

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
    return "project_id" in arguments_of(route)


def about_document(route: str) -> bool:
    return "document_id" in arguments_of(route)


GUARDED = [route for route in NEEDS if route not in OPEN]
ABOUT_PROJECTS = [route for route in GUARDED if about_project(route)]
CASES = [Case(*parts) for parts in itertools.product([False, True], RELATIONS, RELATIONS)]
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


def telling(route: str, need: str) -> Iterator[tuple[Case, Caller]]:
    """For each relation to the project, to the document, and to both, one of each verdict that there is.

    Those come first to whom their role gives least, so that it is the relation that lets them in.
    """
    callers = sorted(RELATED, key=lambda caller: (caller.kind == "key", len(caller.rights)))
    relations = [*((r, None) for r in RELATIONS), (None, "owner"), ("viewer", "owner"), ("owner", "viewer")]
    if about_document(route):
        relations += [(None, "viewer"), (None, "editor")]
    for relation in relations:
        verdicts: set[str] = set()
        for is_private, caller in itertools.product([True, False], callers):
            case = Case(is_private, *relation)
            if (expected := verdict(caller, route, need, case)) not in verdicts:
                verdicts.add(expected)
                yield case, caller


# -- the stage ---------------------------------------------------------------------------------------------------


@dataclass
class Stage:
    """One organization with everybody and everything in it, made when first asked for."""

    organization: Organization
    ids: dict[str, Any] = field(default_factory=dict)
    cases: dict[Case, Belongings] = field(default_factory=dict)
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
            return subjects.of_api_key(api_keys.identify_api_key(self.key(caller)[1]))
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

    def belongings(self, case: Case) -> Belongings:
        """A project of the case and what is in it, to which everybody has the same relations."""
        if case not in self.cases:
            project = add_project(self.organization)
            document = add_document(self.organization, project)
            with self.organization.inside():
                Project.objects.filter(id=project.id).update(is_private=case.is_private)
                self._relate("project", project.id, case.to_project)
                self._relate("document", document.id, case.to_document)
                document = Document.objects.select_related("project").get(id=document.id)
            made = {"projects.Project": document.project, "projects.Document": document}
            self.cases[case] = Belongings(self.organization, "of a case", made)
        return self.cases[case]

    def document(self, case: Case) -> Document:
        return self.belongings(case).document

    def address(self, route: str, caller: Caller, case: Case) -> str:
        document = self.document(case)
        inside = {thing.argument: label for label, thing in THINGS.items() if plane_of(apps.get_model(label)) == TENANT}
        its = self.belongings(case)
        ids = {**self.ids, **{name: its[inside[name]].pk for name in arguments_of(route) if name in inside}}
        if route == "verify-email" and caller.kind == "person":
            ids["token"] = people.make_verification_token(self.member(caller).user)
        if route == "api-session" and caller.kind == "person":
            ids["session_id"] = self.session(self.member(caller)).id
        path = address_of(route, ids)
        if route == "projects:document-download" and caller.kind == "person":
            with self.organization.inside():
                signature = documents.sign_download(document=document, subject=self.subject(caller))
            path += f"?signature={signature}"
        return path

    def session(self, member: Membership) -> Session:
        """One of a member's own."""
        expires_at, key = timezone.now() + timedelta(hours=1), uuid4().hex
        own = {"tenant_id": member.tenant_id, "user_id": member.user_id}
        with control("sign in"):
            return Session.objects.create(**own, session_key=key, session_data="", expire_date=expires_at)

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
def stage(platform, reset) -> Iterator[Stage]:
    """Nothing of it is changed by what is allowed, so that it serves all tests of this file."""
    reset()
    belongings = stock(platform["schema"][0])
    assert belongings["tenants.Profile"].has_logo
    token = invitations.make_token(belongings["accounts.Invitation"])
    yield Stage(belongings.organization, {**belongings.arguments(), "token": token})
    reset()


# -- the matrix --------------------------------------------------------------------------------------------------


def test_routes__all__are_in_the_table_method_by_method():
    declared = {name: methods_of(pattern.callback) for name, pattern in PATTERNS.items() if name not in OPEN}
    listed = {f"{name} {method}" for name in GUARDED for method in NEEDS[name]}

    existing = {f"{name} {method}" for name, methods in declared.items() for method in methods}
    assert_complete(listed, existing, table="tests/support/routes.py:NEEDS")


@pytest.mark.sampled(3)
@pytest.mark.parametrize("route", GUARDED)
def test_route__asked_by_everybody__answers_as_the_rules_say(stage, route):
    for method, need in NEEDS[route].items():
        for caller in callers(need):
            expected = verdict(caller, route, need)
            for client in stage.ways_of(caller, route):
                assert ask(stage, client, caller, method, route) == expected, (method, caller)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("route", ABOUT_PROJECTS)
def test_route__about_a_project__answers_as_the_relations_say(stage, route):
    """One of each verdict by relation is enough here.

    What a role, privacy and relations add up to is decided by ``authorize`` alone, and below it is asked about every
    combination of them. What a route adds is which thing and which permission it asks about, and how it tells of a
    refusal: a wrong thing shows where the relations to project and document differ, a wrong permission where a
    relation is just too weak for it.
    """
    for method, need in NEEDS[route].items():
        for case, caller in telling(route, need):
            expected = verdict(caller, route, need, case)
            for client in stage.ways_of(caller, route)[:1]:
                assert ask(stage, client, caller, method, route, case) == expected, (method, caller, case)


@pytest.mark.parametrize("route", sorted(OPEN))
def test_route__open_to_everybody__answers_the_anonymous(stage, route):
    for method, (status,) in NEEDS[route].items():
        response = send(stage.client(), method, stage.address(route, NOBODY, Case()), key="")

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
        subject = ANONYMOUS if caller.kind == "nobody" else stage.subject(caller)
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


def send(client: Client, method: str, address: str, *, key: str = "x" * 256) -> Any:
    if method == "GET":
        return client.get(address)
    headers = {"Idempotency-Key": key} if key else {}
    return client.generic(method, address, b"{}", content_type="application/json", headers=headers)


def methods_of(callback: Any) -> set[str]:
    """The methods that a view of the API declares; of pages just GET, which is what they are asked with."""
    api = getattr(callback, "cls", None)
    if api is None or getattr(api, "public_because", ""):
        return {"GET"}
    return {name.upper() for name in api.http_method_names if hasattr(api, name)} - {"OPTIONS"}


def uuid(text: str) -> Any:
    return Project._meta.pk.to_python(text)
