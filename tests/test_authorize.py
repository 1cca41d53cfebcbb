"""How it is decided who may do what: with reasons, against everything by default, and lists that agree."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connections
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from apps.access import decisions
from apps.access.decisions import authorize, check
from apps.access.models import Share
from apps.access.permissions import ALL, EVERYONE, GRANTS, MEMBER
from apps.access.subjects import ANONYMOUS, Subject
from apps.accounts.models import CustomRole, Membership
from apps.projects.errors import DocumentNotFound, ProjectNotFound
from apps.projects.models import CustomField, Document, Project
from apps.projects.selectors import allowed_on, documents_for, find_document, find_project, projects_for
from apps.tenants.models import Profile
from tests.support.factories import Organization, add_document, add_person, add_project, subject_of

TENANT = UUID(int=7)
ROLES = ("owner", "admin", "member", "viewer", "custom", "api_key")


def subject(role: str = "custom", *permissions: str, tenant_id: UUID = TENANT, kind: str = "user") -> Subject:
    """Somebody who holds just these permissions, whatever the role is called."""
    return Subject(type=kind, id=str(uuid4()), tenant_id=tenant_id, role=role, permissions=frozenset(permissions))


class Thing:
    """Something of the control plane that cannot be shared."""

    _meta = SimpleNamespace(local_fields=())

    def __init__(self, tenant_id: UUID | None = TENANT, *, is_private: bool = False) -> None:
        self.tenant_id, self.is_private = tenant_id, is_private


# -- reasons -----------------------------------------------------------------------------------------------------


def test_decision__about_nobody__says_that_they_are_not_signed_in():
    decision = authorize(ANONYMOUS, "projects:read", Thing())

    assert not decision.allowed
    assert decision.why == "You are not signed in."


@pytest.mark.parametrize("other", [UUID(int=8), None])
def test_decision__about_another_organizations_thing__is_no_for_everybody(other):
    everything = subject("owner", *ALL, *EVERYONE)

    for action in ALL | EVERYONE:
        decision = authorize(everything, action, Thing(other))
        assert not decision
        assert [reason.rule for reason in decision.reasons] == ["tenant"]


@pytest.mark.parametrize("action", ["", "projects:*", "*", "Projects:Read", "projects:read ", "nothing:known"])
def test_decision__about_an_unknown_action__is_no(action):
    assert not authorize(subject("owner", *ALL, *EVERYONE), action)
    assert not authorize(subject("owner", *ALL, *EVERYONE), action, Thing())


def test_decision__without_permissions__is_no_for_everything():
    for action, thing in product(ALL | EVERYONE, (None, Thing())):
        assert not authorize(subject("custom"), action, thing)


@pytest.mark.parametrize("role", ROLES)
def test_decision__by_role__says_so(role):
    granted, refused = (authorize(subject(role, *held), "audit:view") for held in (["audit:view"], []))

    assert (granted.allowed, granted.why) == (True, f"The role {role} allows audit:view.")
    assert (refused.allowed, refused.why) == (False, f"The role {role} does not allow audit:view.")


def test_decision__about_a_private_thing__says_so():
    decision = authorize(subject("viewer", "projects:read"), "projects:read", Thing(is_private=True))

    assert (decision.allowed, decision.why) == (False, "It is private.")
    assert [(r.rule, r.allows) for r in decision.reasons] == [("role", True), ("private", False)]


def test_decision__by_relation__says_so_and_tells_what_the_role_lacked(acme):
    project, user = add_project(acme), add_person(acme, "viewer")
    with acme.inside():
        relate(project, user.id, "editor")
        decision = authorize(subject_of(acme, user), "projects:write", project)
        refused = authorize(subject_of(acme, user), "projects:delete", project)

    assert [(r.rule, r.allows) for r in decision.reasons] == [("role", False), ("relation", True)]
    assert decision.why == "Being its editor allows projects:write."
    assert refused.why == "Being its editor does not allow projects:delete."


def test_decision__without_any_relation__says_why_the_role_refused(acme):
    project, user = add_project(acme), add_person(acme, "viewer")
    with acme.inside():
        decision = authorize(subject_of(acme, user), "projects:write", project)

    assert decision.why == "The role viewer does not allow projects:write."
    assert decision.reasons[-1].detail == "It is not shared with this person."


def test_check__refused__tells_the_reason():
    with pytest.raises(PermissionDenied, match=r"The role viewer does not allow audit:view\."):
        check(subject("viewer"), "audit:view")
    check(subject("viewer", "audit:view"), "audit:view")


def test_members__read_what_is_not_content_and_do_not_write_it():
    member = subject("member", *GRANTS["member"], *EVERYONE)
    furniture = [Membership(tenant_id=TENANT), CustomRole(tenant_id=TENANT), Profile(tenant_id=TENANT)]

    for thing in furniture:
        assert authorize(member, MEMBER, thing)
        assert not authorize(member, "settings:manage", thing)
    assert authorize(member, "projects:write", Project(tenant_id=TENANT))
    assert not authorize(member, "settings:manage", CustomField(tenant_id=TENANT))


# -- attribute rules narrow --------------------------------------------------------------------------------------

ACTIONS = sorted(ALL | EVERYONE)


@given(
    role=st.sampled_from(ROLES),
    held=st.sets(st.sampled_from(ACTIONS)),
    action=st.sampled_from(ACTIONS),
    is_private=st.booleans(),
    own=st.booleans(),
)
def test_attribute_rules__whatever_is_asked__never_widen(role, held, action, is_private, own):
    asking = subject(role, *held)
    thing = Thing(TENANT if own else UUID(int=8), is_private=is_private)

    decision = authorize(asking, action, thing)

    assert bool(decision) <= bool(authorize(asking, action))
    assert bool(decision) <= (action in held and own)
    assert bool(decision) <= bool(authorize(asking, action, Thing(is_private=False))) or not own
    assert decision.why


@given(role=st.sampled_from(ROLES), action=st.sampled_from(ACTIONS), is_private=st.booleans())
def test_attribute_rules__each__refuse_or_say_nothing(role, action, is_private):
    for rule in decisions.ATTRIBUTE_RULES:
        for thing in (Thing(is_private=is_private), Membership(tenant_id=TENANT), Project(tenant_id=TENANT)):
            reason = rule(subject(role, *ACTIONS), action, thing)
            assert reason is None or reason.allows is False


@given(
    role=st.sampled_from(ROLES),
    fewer=st.sets(st.sampled_from(ACTIONS)),
    more=st.sets(st.sampled_from(ACTIONS)),
    action=st.sampled_from(ACTIONS),
    is_private=st.booleans(),
)
def test_permissions__added_to_a_role__take_nothing_away(role, fewer, more, action, is_private):
    less = subject(role, *fewer)
    thing = Thing(is_private=is_private)

    assert bool(authorize(less, action, thing)) <= bool(
        authorize(replace(less, permissions=frozenset(fewer | more)), action, thing)
    )


# -- lists -------------------------------------------------------------------------------------------------------


def relate(thing: Project | Document, user_id: UUID, relation: str) -> None:
    kind, object_id = thing.share_keys()[0]
    Share.objects.create(user_id=user_id, relation=relation, object_type=kind, object_id=object_id)


def furnish(organization: Organization, user_id: UUID) -> None:
    """A document in its project in every state that it can have to a person."""
    for is_private, to_project, to_document in product((False, True), (None, "viewer"), (None, "owner")):
        project = add_project(organization)
        document = add_document(organization, project)
        with organization.inside():
            Project.objects.filter(id=project.id).update(is_private=is_private)
            for thing, relation in ((project, to_project), (document, to_document)):
                if relation:
                    relate(thing, user_id, relation)


def is_found(find: Any, *arguments: Any) -> bool:
    try:
        return bool(find(*arguments))
    except (ProjectNotFound, DocumentNotFound):
        return False


@pytest.mark.sampled(3)
@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer", "custom"])
@pytest.mark.parametrize("readable", [True, False])
def test_things__in_the_list__are_those_that_are_found_and_may_be_read(home, foreign, role, readable):
    user = add_person(home, "viewer")
    furnish(home, user.id)
    add_document(foreign, add_project(foreign))
    asking = replace(subject_of(home, user), role=role, permissions=frozenset(["projects:read"] if readable else []))

    with home.inside():
        projects, documents = set(projects_for(asking)), set(documents_for(asking))
        for project in Project.objects.all():
            answers = {project in projects, is_found(find_project, asking, project.id)}
            assert answers == {bool(authorize(asking, "projects:read", project))}
        for document in Document.objects.select_related("project"):
            answers = {document in documents, is_found(find_document, asking, document.project_id, document.id)}
            assert answers == {bool(authorize(asking, "projects:read", document))}
        assert len(projects_for(asking)) == len(projects), "none twice"


def test_document__looked_for_in_another_project__is_not_found(home):
    document, other = add_document(home, add_project(home)), add_project(home)

    with home.inside():
        assert not is_found(find_document, home.subject, other.id, document.id)


def test_program__with_a_persons_id__has_none_of_their_relations(acme):
    project = add_project(acme)
    key = replace(acme.subject, type="api_key", role="api_key", permissions=frozenset())

    with acme.inside():
        assert list(projects_for(key)) == []
        assert not authorize(key, "projects:read", project)


LISTS = [
    "/api/v1/projects?page_size=100",
    "/projects/",
    "/api/v1/members?page_size=100",
    "/api/v1/custom-fields?page_size=100",
]


@pytest.mark.parametrize("role", ["owner", "viewer"])
@pytest.mark.parametrize("path", LISTS)
def test_list__of_many__takes_as_many_queries_as_of_few(acme, sign_in, role, path):
    user = add_person(acme, role)
    client = sign_in(acme, user)
    fill(acme, user.id, 3)
    client.get(path)

    few = queries(client, path)
    fill(acme, user.id, 22)
    many = queries(client, path)

    assert few == many, (few, many)
    assert many < 12


def fill(organization: Organization, user_id: UUID, count: int) -> None:
    for number in range(count):
        project = add_project(organization)
        with organization.inside():
            CustomField.objects.create(key=f"k{uuid4().hex[:8]}", label=str(number), kind="text")
            if number % 2:
                Project.objects.filter(id=project.id).update(is_private=True)
                relate(project, user_id, "viewer")
    add_person(organization)


def queries(client: Any, path: str) -> int:
    with CaptureQueriesContext(connections["default"]) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


def test_rights_on_one_thing__asked_together__cost_at_most_one_query_each(acme):
    project, user = add_project(acme), add_person(acme, "viewer")
    asking, owner = subject_of(acme, user), acme.subject

    with acme.inside(), CaptureQueriesContext(connections["default"]) as captured:
        assert allowed_on(asking, project) == {"projects:read"}
        assert allowed_on(owner, project) == {f"projects:{a}" for a in ("read", "write", "delete", "share")}

    assert len(captured) <= 3
