"""When tokens stop working: with the next request."""

from __future__ import annotations

import jwt
import pytest

from apps.access.permissions import Role
from apps.accounts.models import User
from apps.accounts.roles import Assigned
from apps.accounts.services import members, people, roles
from apps.tenancy.context import control
from tests.support.clients import APEX, ME, Program, issue, membership_of, program_of
from tests.support.factories import PASSWORD, Organization, add_person

from .logins import LOGOUT, REFRESH, change_role, join, works

BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def spellings(token: str) -> list[str]:
    """A token as other texts that decode to the same bytes."""
    tail = BASE64.index(token[-1])
    return [token, f"{token}=", f"{token}==", *(token[:-1] + BASE64[tail & ~3 | bits] for bits in range(4))]


def test_logout__of_a_token__voids_it_in_every_spelling_on_the_next_request(home):
    pair, other = issue(home), issue(home)
    assert works(home, pair.access)

    assert Program(home.host, pair.access).post(LOGOUT).status_code == 204

    assert not any(works(home, spelling) for spelling in spellings(pair.access))
    assert Program(home.host).post(REFRESH, {"refresh": pair.refresh}).status_code == 401
    assert works(home, other.access)


def test_logout__of_a_token_that_was_never_used__voids_it(acme):
    pair = issue(acme)

    assert Program(APEX, pair.access).post(LOGOUT).status_code == 204

    assert not works(acme, pair.access)


def test_logout_everywhere__ends_all_tokens_and_sessions_here_only(home, foreign, sign_in):
    person = add_person(home)
    join(foreign, person)
    pairs, browser, there = [issue(home, person) for _ in range(2)], sign_in(home, person), issue(foreign, person)
    bystander = issue(home)

    assert Program(home.host, pairs[0].access).post("auth/logout-everywhere").status_code == 204

    assert not any(works(home, pair.access) for pair in pairs)
    assert browser.get(ME).status_code == 401
    assert works(home, bystander.access)
    assert works(foreign, there.access)


def remove(organization: Organization, person: User) -> None:
    members.remove_member(actor=organization.subject, member_id=membership_of(organization, person).id)


def leave(organization: Organization, person: User) -> None:
    assert program_of(organization, person).post("members/leave").status_code == 204


def change_password(organization: Organization, person: User) -> None:
    with organization.inside():
        people.change_password(user=person, old=PASSWORD, new="another long password", actor=organization.subject)


def set_password(organization: Organization, person: User) -> None:
    with organization.inside():
        token = people.make_password_token(person)
        people.set_password(user_id=person.id, token=token, password="another long password")


def revoke_session(organization: Organization, person: User) -> None:
    client = program_of(organization, person)
    for session in client.get("sessions").json()["results"]:
        if not session["is_current"]:
            assert client.call("delete", f"sessions/{session['id']}").status_code == 204


ENDS = [change_role, remove, leave, change_password, set_password, revoke_session]


@pytest.mark.parametrize("known", [True, False], ids=["used before", "never used"])
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_token__whose_ground_is_gone__is_void_on_the_next_request(home, end, known):
    person, bystander = add_person(home), issue(home)
    pair = issue(home, person)
    if known:
        assert works(home, pair.access)

    end(home, person, *([Role.VIEWER] if end is change_role else []))

    assert not works(home, pair.access)
    assert works(home, bystander.access)


def test_token__of_a_custom_role__is_void_once_the_role_is_edited(home):
    person = add_person(home)
    role = roles.create_role(actor=home.subject, name="Auditor", permissions=["projects:read"])
    member_id = membership_of(home, person).id
    members.change_role(actor=home.subject, member_id=member_id, role=Assigned(Role.CUSTOM, role))
    pair = issue(home, person)
    assert works(home, pair.access)

    roles.update_role(actor=home.subject, role_id=role.id, name="Auditor", permissions=["audit:view"])

    assert not works(home, pair.access)
    claims = jwt.decode(issue(home, person).access, options={"verify_signature": False})
    assert claims["permissions"] == ["audit:view"]


def test_token__of_a_person_who_is_deactivated__is_void_once_it_is_looked_up(acme):
    person = add_person(acme)
    pair = issue(acme, person)
    with control("deactivate"):
        User.objects.filter(id=person.id).update(is_active=False)

    assert not works(acme, pair.access)
    assert Program(acme.host).post(REFRESH, {"refresh": pair.refresh}).status_code == 401

    with control("activate"):
        User.objects.filter(id=person.id).update(is_active=True)
    assert works(acme, issue(acme, person).access)


def test_token__of_a_member_who_came_back__works_and_the_old_one_does_not(home):
    person = add_person(home)
    before = issue(home, person)
    assert works(home, before.access)
    remove(home, person)
    assert not works(home, before.access)

    join(home, person)

    assert works(home, issue(home, person).access)
    assert not works(home, before.access)
