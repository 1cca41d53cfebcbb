"""What is mailed to addresses, known or not: lost passwords, one's organizations, proofs."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.core import mail
from django.db import connections
from django.test import Client

from apps.accounts.services import members, people
from apps.notifications.tasks import send_invitation
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from tests.support.factories import PASSWORD, Organization, add_person

from .mailbox import (
    API,
    NEW_PASSWORD,
    anonymous,
    invite,
    is_verified,
    link_in,
    post,
    program,
    signs_in,
)


def without_traces(response: Any) -> tuple[int, bytes, str]:
    """An answer without what differs between any two: ids and tokens."""
    content = re.sub(rb"[0-9a-f-]{36}|csrfmiddlewaretoken\" value=\"\w+", b"", response.content)
    return response.status_code, content, response.headers.get("Location", "")


def reset_by_page(organization: Organization, email: str) -> Any:
    return anonymous(organization).post("/sign-in/reset/", {"email": email}, follow=True)


def lookup_by_page(organization: Organization, email: str) -> Any:
    return Client(HTTP_HOST="localhost").post("/find-organizations/", {"email": email})


WAYS: dict[str, Callable[[Organization, str], Any]] = {
    "reset by page": reset_by_page,
    "reset by api": lambda home, email: post(anonymous(home), "/auth/password-reset", email=email),
    "reset at the apex": lambda home, email: post(Client(HTTP_HOST="localhost"), "/auth/password-reset", email=email),
    "lookup by page": lookup_by_page,
    "lookup by api": lambda home, email: post(anonymous(home), "/auth/find-organizations", email=email),
}


# -- who is known is told by mail only --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_address__known_or_not__gets_the_same_answer_and_mail_if_known(home, postman, way):
    known, unknown = WAYS[way](home, home.owner.email), WAYS[way](home, "nobody@example.com")

    assert without_traces(known) == without_traces(unknown)
    assert [message.to for message in postman.deliver(home)] == [[home.owner.email]]


def test_reset__for_a_member_of_another_organization__mails_nothing(home, foreign, postman):
    post(anonymous(home), "/auth/password-reset", email=foreign.owner.email)

    assert postman.deliver(home) + postman.deliver(foreign) == []


def test_lookup__of_a_member_of_two__lists_both_and_no_other(home, foreign, postman):
    user = add_person(home)
    with control("add"), atomic():
        members.add_member(tenant_id=foreign.tenant.id, user=user)

    post(anonymous(home), "/auth/find-organizations", email=user.email.upper())
    (message,) = postman.deliver()
    post(anonymous(home), "/auth/find-organizations", email=home.owner.email)
    (other,) = postman.deliver()

    assert home.host in message.body
    assert foreign.host in message.body
    assert foreign.host not in other.body


# -- lost passwords ---------------------------------------------------------------------------------------------------


def test_reset_link__used__ends_sessions_and_tokens_and_is_spent(home, postman, sign_in):
    user = add_person(home)
    browser, client = sign_in(home, user), program(home, user)
    reset_by_page(home, user.email)
    path = link_in(postman.deliver(home)[0])

    done = anonymous(home).post(path, {"password": NEW_PASSWORD})
    again = anonymous(home).post(path, {"password": PASSWORD})

    assert (done.status_code, again.status_code) == (302, 422)
    assert (browser.get("/").status_code, client.get(f"{API}/users/me").status_code) == (302, 401)
    assert not signs_in(home, user.email, PASSWORD)
    assert signs_in(home, user.email, NEW_PASSWORD)
    assert is_verified(user.email)


def test_reset_link__used_twice_at_once__sets_one_password(home):
    user = add_person(home)
    path = f"/sign-in/password/{user.id}/{people.make_password_token(user)}/"
    passwords = [f"{NEW_PASSWORD} {number}" for number in range(8)]

    def use(password: str) -> int:
        try:
            return anonymous(home).post(path, {"password": password}).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(use, passwords))

    assert sorted(answers) == [302] + [422] * 7
    assert signs_in(home, user.email, passwords[answers.index(302)])


def test_reset_link__of_somebody_else_or_on_a_foreign_host__is_refused(home, foreign):
    user, other = add_person(home), add_person(home)
    token = people.make_password_token(user)

    def attempt(organization: Organization, user_id: UUID) -> int:
        path = f"/sign-in/password/{user_id}/{token}/"
        return int(anonymous(organization).post(path, {"password": NEW_PASSWORD}).status_code)

    assert [attempt(home, other.id), attempt(foreign, user.id)] == [422, 422]
    assert signs_in(home, user.email, PASSWORD)


def test_reset_link__with_a_weak_password__stays_good(home):
    user = add_person(home)
    path = f"/sign-in/password/{user.id}/{people.make_password_token(user)}/"

    weak = anonymous(home).post(path, {"password": "short"})
    good = anonymous(home).post(path, {"password": NEW_PASSWORD})

    assert (weak.status_code, good.status_code) == (422, 302)


# -- proof of an address ----------------------------------------------------------------------------------------------


def test_address__verified_by_the_signed_in_person__is_theirs(home, postman, sign_in):
    user = add_person(home)
    browser = sign_in(home, user)
    assert post(program(home, user), "/users/me/verification").status_code == 202
    (message,) = postman.deliver(home)

    assert anonymous(home).get(link_in(message)).status_code == 302
    assert not is_verified(user.email)
    response = browser.get(link_in(message))

    assert (message.to, response.status_code, response["Location"]) == ([user.email], 302, "/")
    assert is_verified(user.email)


def test_address__with_the_token_of_another_account__stays_unproved(home, sign_in):
    user, other = add_person(home), add_person(home)
    browser = sign_in(home, user)

    statuses = [
        browser.get(f"/verify-email/{token}/").status_code
        for token in (people.make_verification_token(other), "made-up", people.make_password_token(user))
    ]

    assert statuses == [403, 403, 403]
    assert not is_verified(user.email)
    assert not is_verified(other.email)


def test_address__with_an_old_token__stays_unproved(home, sign_in, monkeypatch):
    user = add_person(home)
    browser, token = sign_in(home, user), people.make_verification_token(user)
    monkeypatch.setattr(people, "VERIFICATION_SECONDS", -settings.CLOCK_LEEWAY_SECONDS - 1)

    assert browser.get(f"/verify-email/{token}/").status_code == 403
    assert not is_verified(user.email)


def test_invitation_task__for_an_invitation_of_another_organization__mails_nothing(home, foreign):
    row = invite(foreign)
    mail.outbox.clear()

    with home.inside():
        send_invitation(event_id=str(row.id), invitation_id=str(row.id), generation=1)

    assert mail.outbox == []
