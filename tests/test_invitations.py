"""Links that are mailed: invitations, lost passwords, proof of an address, the list of one's organizations."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier, Thread
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from allauth.account.models import EmailAddress
from celery import current_app
from django.core import mail
from django.db import connections
from django.test import Client
from django.utils import timezone

from apps.accounts.models import Invitation, Membership, User
from apps.accounts.roles import Assigned
from apps.accounts.services import invitations, members, people, roles, tokens
from apps.notifications.tasks import send_invitation
from apps.tenancy import outbox
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from tests import servers
from tests.factories import PASSWORD, Organization, add_person

API = "/api/v1"
GUEST = "guest@example.com"
NEW_PASSWORD = "another password that is long enough"
MAILED = ("accounts.invited", "accounts.password_reset_requested", "accounts.verification_requested")
LOOKUP = "accounts.lookup_requested"


class Postman:
    """Hands the events that wait in the outbox to their tasks, as the relay does."""

    def __init__(self) -> None:
        self._seen = {row[0] for row in self._waiting()}

    def deliver(self, organization: Organization | None = None) -> list[Any]:
        """The mails that go out: about an organization, or from the control plane."""
        mail.outbox.clear()
        for event_id, tenant_id, topic, payload in self._waiting():
            own = organization is not None and tenant_id == organization.tenant.id and topic in MAILED
            if event_id not in self._seen and (own or topic == LOOKUP):
                self._seen.add(event_id)
                self._hand_over(organization if own else None, topic, {"event_id": str(event_id), **payload})
        return list(mail.outbox)

    def _hand_over(self, organization: Organization | None, topic: str, arguments: dict[str, Any]) -> None:
        for name in outbox.subscribers_of(topic):
            with organization.inside() if organization else control("tell somebody"):
                current_app.tasks[name](**arguments)

    def _waiting(self) -> list[Any]:
        with servers.as_operator() as connection:
            rows = "SELECT event_id, tenant_id, topic, payload FROM platform.outbox ORDER BY id"
            return connection.execute(rows).fetchall()


@pytest.fixture
def postman(platform, database) -> Postman:
    return Postman()


def invite(organization: Organization, email: str = GUEST, role: str = "member") -> Invitation:
    return invitations.invite(actor=organization.subject, email=email, role=Assigned(role))


def link_in(message: Any) -> str:
    """The path of the one link to our own host."""
    (address,) = set(re.findall(r"https?://\S+", message.body))
    assert urlsplit(address).path in message.alternatives[0][0]
    return urlsplit(address).path


def anonymous(organization: Organization) -> Client:
    return Client(HTTP_HOST=organization.host, raise_request_exception=False)


def post(client: Client, path: str, **content: Any) -> Any:
    return client.post(f"{API}{path}", content, content_type="application/json")


def accept(organization: Organization, token: str, password: str = PASSWORD) -> Any:
    return post(anonymous(organization), "/invitations/accept", token=token, password=password)


def accept_by_page(client: Client, token: str, password: str = PASSWORD) -> Any:
    return client.post(f"/invitation/{token}/", {"password": password, "name": "Guest"})


def program(organization: Organization, user: User) -> Client:
    with control("look"):
        member = Membership.objects.select_related("user", "tenant", "custom_role").get(
            user=user, tenant=organization.tenant
        )
    access = tokens.issue(member).access
    return Client(HTTP_HOST=organization.host, HTTP_AUTHORIZATION=f"Bearer {access}", raise_request_exception=False)


def stranger(organization: Organization, *, verified: bool) -> User:
    """A member of another organization who is invited under their address."""
    user = add_person(organization)
    with control("prepare"):
        EmailAddress.objects.filter(user=user).update(verified=verified)
    return user


def is_member(organization: Organization, email: str = GUEST) -> bool:
    with control("look"):
        return Membership.objects.filter(tenant=organization.tenant, user__email=email).count() == 1


def is_verified(email: str) -> bool:
    with control("look"):
        return EmailAddress.objects.filter(email=email, user__email=email, verified=True).exists()


def signs_in(organization: Organization, email: str, password: str) -> bool:
    response = post(anonymous(organization), "/auth/login", email=email, password=password)
    return bool(response.status_code == 200)


# -- from the invitation to the membership -----------------------------------------------------------------------


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


# -- links that do not work --------------------------------------------------------------------------------------


def assert_void(organization: Organization, token: str) -> None:
    page, api = anonymous(organization).get(f"/invitation/{token}/"), accept(organization, token)
    assert (page.status_code, api.status_code, api.json()["code"]) == (403, 403, "invitation_refused")


def test_invitation__used__is_void(home):
    token = invitations.make_token(invite(home))
    accept(home, token)

    assert_void(home, token)


def test_invitation__on_a_foreign_host__is_void(home, foreign):
    token = invitations.make_token(invite(home))

    assert_void(foreign, token)
    assert not is_member(foreign)
    assert accept(home, token).status_code == 201


def test_invitation__after_seven_days__is_void_and_can_be_made_again(home):
    row = invite(home)
    assert timedelta(days=7) - (row.expires_at - timezone.now()) < timedelta(minutes=1)
    with control("let time pass"):
        Invitation.objects.filter(id=row.id).update(expires_at=timezone.now())

    assert_void(home, invitations.make_token(row))
    again = invite(home)
    assert accept(home, invitations.make_token(again)).status_code == 201


def test_invitation__sent_again__voids_the_link_before(home, postman):
    client = program(home, home.owner)
    row = post(client, "/invitations", email=GUEST, role="member").json()
    first = link_in(postman.deliver(home)[0]).split("/")[2]

    assert post(client, f"/invitations/{row['id']}/resend").status_code == 200
    second = link_in(postman.deliver(home)[0]).split("/")[2]

    assert_void(home, first)
    assert accept(home, second).status_code == 201


def test_invitation__sent_again_before_the_first_mail_went_out__mails_the_newer_link_only(home, postman):
    row = invite(home)
    invitations.resend(actor=home.subject, invitation_id=row.id)

    assert len(postman.deliver(home)) == 1


def test_invitation__revoked__is_void_and_gone(home, postman):
    client = program(home, home.owner)
    row = invite(home)

    assert client.delete(f"{API}/invitations/{row.id}").status_code == 204

    assert_void(home, invitations.make_token(row))
    assert client.get(f"{API}/invitations/{row.id}").status_code == 404
    assert post(client, f"/invitations/{row.id}/resend").status_code == 404
    assert postman.deliver(home) == []


def test_invitation__of_an_owner__is_revoked_by_owners_only(home):
    row = invite(home, role="owner")

    refused = program(home, add_person(home, "admin")).delete(f"{API}/invitations/{row.id}")
    revoked = program(home, home.owner).delete(f"{API}/invitations/{row.id}")

    assert (refused.status_code, revoked.status_code) == (403, 204)


def test_invitation__accepted_by_page__is_recorded_as_a_sign_in(home):
    guest = anonymous(home)

    guest.post(f"/invitation/{invitations.make_token(invite(home))}/", {"password": NEW_PASSWORD, "name": "Guest"})

    assert guest.get("/").status_code == 200
    events = program(home, home.owner).get(f"{API}/audit/events?action=session").json()["results"]
    assert [event["action"] for event in events][1] == "session.started"


@pytest.mark.parametrize("token", ["x", "0" * 32 + "." + "0" * 64, "%00", "a" * 200])
def test_invitation__made_up__is_void(acme, token):
    assert anonymous(acme).get(f"/invitation/{token}/").status_code in (400, 403, 404)
    assert accept(acme, token).status_code in (400, 403)


def test_invitation__for_another_address__is_told_by_its_token(home):
    """A token belongs to one invitation: that of a colleague's does not open one's own."""
    own, other = invite(home, GUEST, "viewer"), invite(home, "other@example.com", "admin")
    mixed = f"{other.id.hex}.{invitations.make_token(own).split('.')[1]}"

    assert_void(home, mixed)


def test_invitation__stored__keeps_no_secret(home, postman):
    token = invitations.make_token(invite(home))
    secret = token.split(".")[1]
    with servers.as_operator() as connection:
        tables = ("public.accounts_invitation", "public.audit_controlevent", "platform.outbox")
        kept = [connection.execute(f"SELECT t::text FROM {table} t").fetchall() for table in tables]

    assert secret not in str(kept)
    assert GUEST in str(kept)


# -- inviting ----------------------------------------------------------------------------------------------------

BAD = [
    ({"email": "nobody", "role": "member"}, 400, "email"),
    ({"role": "member"}, 400, "email"),
    ({"email": GUEST}, 400, "role"),
    ({"email": GUEST, "role": "king"}, 400, "role"),
    ({"email": "TAKEN@example.com", "role": "member"}, 409, "email"),
    ({"email": "owner", "role": "member"}, 409, "email"),
]


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


# -- who is known is told by mail only ---------------------------------------------------------------------------


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


# -- lost passwords ----------------------------------------------------------------------------------------------


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


# -- proof of an address -----------------------------------------------------------------------------------------


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
    monkeypatch.setattr(people, "VERIFICATION_SECONDS", -1)

    assert browser.get(f"/verify-email/{token}/").status_code == 403
    assert not is_verified(user.email)


def test_invitation_task__for_an_invitation_of_another_organization__mails_nothing(home, foreign):
    row = invite(foreign)
    mail.outbox.clear()

    with home.inside():
        send_invitation(event_id=str(row.id), invitation_id=str(row.id), generation=1)

    assert mail.outbox == []
