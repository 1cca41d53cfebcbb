"""Owners: there always is one, and one can make another."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts import subjects
from apps.accounts.errors import BeyondOwnRights, LastOwner, MemberNotFound
from apps.accounts.models import Membership
from apps.accounts.roles import Assigned
from apps.accounts.services import api_keys, members, people
from apps.audit.actors import SYSTEM
from apps.audit.models import ControlEvent
from apps.tenancy.context import control
from tests.support.factories import add_person

from .changes import answer, at_once, bearer, membership, person_with, program, role_of, send


def test_last_owner__demoted_removed_or_leaving__stays(firm):
    client, own = program(firm), membership(firm, firm.owner)

    for method, path, content in [
        ("PATCH", f"/members/{own.id}", {"role": "admin"}),
        ("DELETE", f"/members/{own.id}", None),
        ("POST", "/members/leave", None),
    ]:
        assert answer(send(client, method, path, content)) == (409, "last_owner")
    assert role_of(firm, firm.owner) == "owner"


def test_owner__with_another_one__may_leave(firm):
    add_person(firm, "owner")

    assert send(program(firm), "POST", "/members/leave").status_code == 204


def test_ownership__transferred__makes_the_owner_an_admin(firm):
    heir, client = add_person(firm, "viewer"), program(firm)

    response = send(client, "POST", f"/members/{membership(firm, heir).id}/ownership")

    assert (response.status_code, response.json()["role"]) == (200, "owner")
    assert (role_of(firm, heir), role_of(firm, firm.owner)) == ("owner", "admin")
    assert send(client, "GET", "/users/me").status_code == 401, "the token speaks of an owner"


def test_ownership__transferred__is_recorded_of_both(firm):
    heir = membership(firm, add_person(firm, "viewer"))
    own = membership(firm, firm.owner)

    send(program(firm), "POST", f"/members/{heir.id}/ownership")

    with control("look"):
        found = ControlEvent.objects.filter(tenant_id=firm.tenant.id, resource_type="membership")
        found = found.order_by("occurred_at")
        changes = {event.resource_id: event.changes["role"] for event in found if "role" in event.changes}
    assert changes[str(heir.id)][-1] == "owner"
    assert changes[str(own.id)] == ["owner", "admin"]


def test_ownership__transferred_to_a_custom_role_or_oneself__works_or_changes_nothing(firm):
    heir = person_with(firm, "projects:read")
    own = membership(firm, firm.owner)

    assert send(program(firm), "POST", f"/members/{own.id}/ownership").json()["role"] == "owner"
    assert send(program(firm), "POST", f"/members/{membership(firm, heir).id}/ownership").status_code == 200
    assert (role_of(firm, heir), role_of(firm, firm.owner)) == ("owner", "admin")


def test_ownership__transferred_by_anybody_else__is_refused(acme):
    target = membership(acme, add_person(acme))
    _, key = api_keys.create_api_key(actor=acme.subject, name="key", scopes=["users:manage"])
    admin = program(acme, add_person(acme, "admin"))

    for client in (admin, bearer(acme, key)):
        assert answer(send(client, "POST", f"/members/{target.id}/ownership")) == (403, "beyond_own_rights")
    assert role_of(acme, target.user) == "member"


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda firm, out: members.leave(actor=firm.subject), LastOwner),
        (lambda firm, out: demote(firm.subject, membership(firm, firm.owner)), LastOwner),
        (lambda firm, out: transfer(firm.subject, out), MemberNotFound),
        (lambda firm, out: remove(firm.subject, out), None),
    ],
    ids=["leave", "demote", "transfer", "remove the other"],
)
def test_owner__beside_one_who_is_shut_out__is_the_last(firm, act, error):
    other = add_person(firm, "owner")
    people.set_active(email=other.email, is_active=False, actor=SYSTEM)
    out = membership(firm, other)

    if error is None:
        act(firm, out)
    else:
        with pytest.raises(error):
            act(firm, out)

    assert role_of(firm, firm.owner) == "owner"


def demote(actor: Any, target: Membership) -> None:
    members.change_role(actor=actor, member_id=target.id, role=Assigned("admin"))


def remove(actor: Any, target: Membership) -> None:
    members.remove_member(actor=actor, member_id=target.id)


def leave(actor: Any, target: Membership) -> None:
    members.leave(actor=actor)


def transfer(actor: Any, target: Membership) -> None:
    members.transfer_ownership(actor=actor, member_id=target.id)


DUELS = [(demote, demote), (remove, remove), (remove, demote), (leave, leave), (leave, demote), (transfer, remove)]


@pytest.mark.parametrize("duel", DUELS, ids=lambda duel: " ".join(f.__name__ for f in duel))
def test_two_owners__against_each_other_at_once__leave_an_owner(firm, duel):
    for _ in range(8):
        with control("start again"):
            Membership.objects.filter(tenant=firm.tenant).delete()
        pair = [membership(firm, add_person(firm, "owner")) for _ in range(2)]
        acts = [
            (lambda act=act, own=own, other=other: act(subjects.of_membership(own), other))
            for act, own, other in zip(duel, pair, reversed(pair), strict=True)
        ]

        outcomes = at_once(*acts)

        assert all(o is None or isinstance(o, (LastOwner, MemberNotFound, BeyondOwnRights)) for o in outcomes)
        with control("look"):
            assert Membership.objects.filter(tenant=firm.tenant, role="owner").count() >= 1, outcomes
