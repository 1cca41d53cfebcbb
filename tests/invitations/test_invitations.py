"""From the invitation to the membership."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Barrier, Thread
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import connections
from django.test import Client

from apps.accounts.models import Membership, User
from apps.accounts.roles import Assigned
from apps.accounts.services import invitations, members, roles
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from tests.support.factories import PASSWORD, Organization, add_person

from .mailbox import (
    API,
    GUEST,
    NEW_PASSWORD,
    accept,
    anonymous,
    invite,
    is_member,
    is_verified,
    link_in,
    post,
    program,
    signs_in,
)


def accept_by_page(client: Client, token: str, password: str = PASSWORD) -> Any:
    return client.post(f"/invitation/{token}/", {"password": password, "name": "Guest"})


def stranger(organization: Organization, *, verified: bool) -> User:
    """A member of another organization who is invited under their address."""
    user = add_person(organization)
    with control("prepare"):
        EmailAddress.objects.filter(user=user).update(verified=verified)
    return user


# -- from the invitation to the membership ----------------------------------------------------------------------------


def test_invitation__mailed_and_accepted_by_page__makes_a_signed_in_member(home, postman):
    inviter = program(home, home.owner)
    made = post(inviter, "/invitations", email=f" {GUEST.upper()} ", role="viewer")
    assert (made.status_code, made.json()["email"], made.json()["role"]) == (201, GUEST, "viewer")

    (message,) = postman.deliver(home)
    client, path = anonymous(home), link_in(message)
    page = client.get(path)
    landed = client.post(path, {"name": "Guest", "password": PASSWORD}, follow=True)

    assert message.to == [GUEST]
    assert home.tenant.name in message.subject
    assert (page.status_code, page["Referrer-Policy"], "no-store" in page["Cache-Control"]) == (
        200,
        "same-origin",  # with no-referrer a browser would send the form from nowhere, and be refused
        True,
    )
    assert (landed.status_code, landed.redirect_chain[-1][0]) == (200, "/")
    me = client.get(f"{API}/users/me").json()
    assert (me["email"], me["name"], me["role"]) == (GUEST, "Guest", "viewer")
    assert is_verified(GUEST)
    assert not inviter.get(f"{API}/invitations").json()["results"]


def test_invitation__accepted_by_api__answers_with_tokens(home):
    role = roles.create_role(actor=home.subject, name="Reader", permissions=["projects:read"])
    row = invitations.invite(actor=home.subject, email=GUEST, role=Assigned("custom", role))

    response = accept(home, invitations.make_token(row))

    assert response.status_code == 201
    client = Client(HTTP_HOST=home.host, HTTP_AUTHORIZATION=f"Bearer {response.json()['access']}")
    me = client.get(f"{API}/users/me").json()
    assert (me["role"], me["permissions"]) == ("Reader", ["projects:read"])


def test_invitation__with_a_weak_password__stays_open(home):
    token = invitations.make_token(invite(home))

    page, api = accept_by_page(anonymous(home), token, "short"), accept(home, token, "short")

    assert (page.status_code, b'id="id_password_error"' in page.content) == (422, True)
    assert (api.status_code, api.json()["errors"][0]["field"]) == (400, "password")
    assert accept(home, token).status_code == 201


def test_known_verified_person__accepting__shows_the_password_they_have(home, foreign):
    user = stranger(foreign, verified=True)
    token = invitations.make_token(invite(home, user.email))
    client = program(foreign, user)

    wrong_page, wrong = accept_by_page(anonymous(home), token, NEW_PASSWORD), accept(home, token, NEW_PASSWORD)
    assert (wrong_page.status_code, wrong.status_code, wrong.json()["code"]) == (422, 401, "credentials_refused")
    assert not is_member(home, user.email)

    assert accept_by_page(anonymous(home), token).status_code == 302
    assert is_member(home, user.email)
    assert client.get(f"{API}/users/me").status_code == 200, "nothing of theirs ends"


def test_known_unverified_person__accepting__ends_what_a_stranger_set_up(home, foreign, sign_in):
    user = stranger(foreign, verified=False)
    browser, client = sign_in(foreign, user), program(foreign, user)
    token = invitations.make_token(invite(home, user.email))

    assert accept(home, token, NEW_PASSWORD).status_code == 201

    assert (browser.get("/").status_code, client.get(f"{API}/users/me").status_code) == (302, 401)
    assert not signs_in(foreign, user.email, PASSWORD)
    assert signs_in(home, user.email, NEW_PASSWORD)
    assert is_verified(user.email)


@pytest.mark.parametrize("verified", [True, False])
def test_deactivated_person__accepting__stays_out(home, foreign, verified):
    user = stranger(foreign, verified=verified)
    with control("deactivate"):
        User.objects.filter(id=user.id).update(is_active=False)
    token = invitations.make_token(invite(home, user.email))

    page, api = accept_by_page(anonymous(home), token), accept(home, token)

    assert page.status_code in (403, 422)
    assert api.status_code in (401, 403)
    assert not is_member(home, user.email)


BAD = [
    ({"email": "nobody", "role": "member"}, 400, "email"),
    ({"role": "member"}, 400, "email"),
    ({"email": GUEST}, 400, "role"),
    ({"email": GUEST, "role": "king"}, 400, "role"),
    ({"email": "TAKEN@example.com", "role": "member"}, 409, "email"),
    ({"email": "owner", "role": "member"}, 409, "email"),
]


# -- inviting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("content", "status", "field"), BAD)
def test_invitation__that_is_wrong__names_the_field(acme, content, status, field):
    invite(acme, "taken@example.com")
    if content.get("email") == "owner":
        content = {**content, "email": acme.owner.email.upper()}

    response = post(program(acme, acme.owner), "/invitations", **content)

    assert (response.status_code, response.json()["errors"][0]["field"]) == (status, field)


def test_invitation__of_somebody_who_became_a_member_meanwhile__is_a_conflict(home, foreign):
    user = stranger(foreign, verified=True)
    token = invitations.make_token(invite(home, user.email, "admin"))
    with control("add"), atomic():
        members.add_member(tenant_id=home.tenant.id, user=user)

    assert accept(home, token).json()["code"] == "already_member"
    with control("look"):
        assert Membership.objects.get(tenant=home.tenant, user=user).role == "member"


@pytest.mark.parametrize("kind", ["new", "verified", "unverified"])
def test_invitation__accepted_twice_at_once__makes_one_membership(home, foreign, kind):
    for number in range(4):
        email = f"{number}{GUEST}" if kind == "new" else stranger(foreign, verified=kind == "verified").email
        token = invitations.make_token(invite(home, email))

        statuses = at_once(*[partial(accept, home, token)] * 3)

        assert statuses.count(201) == 1, statuses
        assert set(statuses) <= {201, 403, 401, 409}
        assert is_member(home, email)


def at_once(*acts: Callable[[], Any]) -> list[int]:
    """The statuses of requests that are begun together."""
    barrier, statuses = Barrier(len(acts)), []

    def run(act: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            statuses.append(act().status_code)
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses
