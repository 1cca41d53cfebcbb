"""Power ends with its source: every way in, against everything that can become of whoever it came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.access.permissions import GRANTS, Role
from apps.accounts import subjects
from apps.accounts.models import ApiKey, Invitation, User
from apps.accounts.roles import Assigned
from apps.accounts.selectors import memberships_of
from apps.accounts.services import api_keys, invitations, members, people, roles
from apps.accounts.services.handoff import issue_handoff_code
from apps.audit.actors import SYSTEM
from apps.core import clocks
from apps.onboarding.services import ensure_organization, sign_up
from apps.tenancy.context import control, use
from apps.tenancy.transactions import atomic
from apps.tenants.selectors import primary_domain
from apps.tenants.services import lifecycle, schema_store
from tests.support.clients import APEX, Program, issue, membership_of, program_of
from tests.support.factories import PASSWORD, Organization, add_person, subject_of

FULL = sorted(GRANTS[Role.ADMIN])
WHAT_ADMINS_SEE = "api-keys"


@dataclass
class Admin:
    """Whoever handed on what is probed."""

    organization: Organization
    user: User

    @property
    def subject(self) -> Any:
        return subject_of(self.organization, self.user)


Probe = Callable[[], bool]
Credential = Callable[[Admin], Probe]


def sees(organization: Organization, access: str) -> bool:
    return all(Program(host, access).get(WHAT_ADMINS_SEE).status_code == 200 for host in (organization.host, APEX))


def api_key(admin: Admin) -> Probe:
    secret = api_keys.create_api_key(actor=admin.subject, name="robot", scopes=FULL)[1]
    return lambda: sees(admin.organization, secret)


def key_with_few_scopes(admin: Admin) -> Probe:
    """A key that does one thing that only admins may, beside what everybody may."""
    secret = api_keys.create_api_key(actor=admin.subject, name="robot", scopes=["projects:read", "keys:manage"])[1]
    return lambda: sees(admin.organization, secret)


def invitation(admin: Admin) -> Probe:
    """To the admin's second address."""
    sent = invitations.invite(actor=admin.subject, email=f"second.{admin.user.email}", role=Assigned(Role.ADMIN))
    return lambda: accepts(admin.organization, sent)


def invitation_of_a_key(admin: Admin) -> Probe:
    secret = api_keys.create_api_key(actor=admin.subject, name="inviting", scopes=FULL)[1]
    role = roles.create_role(actor=admin.organization.subject, name=f"All {admin.user.id}", permissions=FULL)
    body = {"email": f"third.{admin.user.email}", "role": str(role.id)}
    answer = Program(admin.organization.host, secret).post("invitations", body)
    assert answer.status_code == 201, answer.content
    with control("look"):
        sent = Invitation.objects.get(id=answer.json()["id"])
    return lambda: accepts(admin.organization, sent)


def invitation_to_a_custom_role(admin: Admin) -> Probe:
    role = roles.create_role(actor=admin.organization.subject, name=f"Keys {admin.user.id}", permissions=FULL)
    sent = invitations.invite(actor=admin.subject, email=f"fourth.{admin.user.email}", role=Assigned(Role.CUSTOM, role))
    return lambda: accepts(admin.organization, sent)


def accepts(organization: Organization, sent: Invitation) -> bool:
    body = {"token": invitations.make_token(sent), "password": "another password that is long enough"}
    page = Client(HTTP_HOST=organization.host).get(f"/invitation/{body['token']}/")
    answer = Program(organization.host).post("invitations/accept", body)
    assert (page.status_code == 200) == (answer.status_code == 201)
    return bool(answer.status_code == 201 and sees(organization, answer.json()["access"]))


def session(admin: Admin) -> Probe:
    browser = Client(HTTP_HOST=admin.organization.host)
    browser.post("/sign-in/", {"login": admin.user.email, "password": PASSWORD})
    return lambda: browser.get("/api-keys/").status_code == 200


def access_token(admin: Admin) -> Probe:
    access = issue(admin.organization, admin.user).access
    return lambda: sees(admin.organization, access)


def refresh_token(admin: Admin) -> Probe:
    token = issue(admin.organization, admin.user).refresh

    def probe() -> bool:
        answer = Program(APEX).post("auth/refresh", {"refresh": token})
        return bool(answer.status_code == 200 and sees(admin.organization, answer.json()["access"]))

    return probe


def password(admin: Admin) -> Probe:
    """Signing in anew, on the apex."""

    def probe() -> bool:
        body = {"email": admin.user.email, "password": PASSWORD, "organization": admin.organization.tenant.slug}
        answer = Program(APEX).post("auth/login", body)
        return bool(answer.status_code == 200 and sees(admin.organization, answer.json()["access"]))

    return probe


def password_link(admin: Admin) -> Probe:
    token = people.make_password_token(admin.user)

    def probe() -> bool:
        new = "a third password that is long enough"
        browser = Client(HTTP_HOST=admin.organization.host)
        browser.post(f"/sign-in/password/{admin.user.id}/{token}/", {"password": new})
        browser.post("/sign-in/", {"login": admin.user.email, "password": new})
        return browser.get("/api-keys/").status_code == 200

    return probe


def handoff_code(admin: Admin) -> Probe:
    code = issue_handoff_code(tenant_id=admin.organization.tenant.id, person=admin.user)

    def probe() -> bool:
        browser = Client(HTTP_HOST=admin.organization.host)
        browser.post("/sign-in/handoff/", {"code": code})
        browser.get(f"/sign-in/handoff/?code={code}")
        return browser.get("/api-keys/").status_code == 200

    return probe


CREDENTIALS: list[Credential] = [
    api_key,
    key_with_few_scopes,
    invitation,
    invitation_of_a_key,
    invitation_to_a_custom_role,
    session,
    access_token,
    refresh_token,
    handoff_code,
    password,
    password_link,
]


def nothing(admin: Admin) -> None:
    pass


def removed(admin: Admin) -> None:
    members.remove_member(actor=admin.organization.subject, member_id=membership_of(admin.organization, admin.user).id)


def left(admin: Admin) -> None:
    members.leave(actor=admin.subject)


def demoted(admin: Admin) -> None:
    give(admin, Assigned(Role.MEMBER))


def given_a_custom_role(admin: Admin) -> None:
    permissions = ["projects:read", "users:manage"]
    role = roles.create_role(actor=admin.organization.subject, name=f"Less {admin.user.id}", permissions=permissions)
    give(admin, Assigned(Role.CUSTOM, role))


def give(admin: Admin, role: Assigned) -> None:
    member = membership_of(admin.organization, admin.user)
    members.change_role(actor=admin.organization.subject, member_id=member.id, role=role)


def deactivated(admin: Admin) -> None:
    people.set_active(email=admin.user.email, is_active=False, actor=SYSTEM)


def held(admin: Admin) -> None:
    lifecycle.hold(slug=admin.organization.tenant.slug, reason="unpaid", actor=SYSTEM)


def removed_and_taken_back(admin: Admin) -> None:
    removed(admin)
    with control("join"), atomic():
        members.add_member(tenant_id=admin.organization.tenant.id, user=admin.user, role=Assigned(Role.ADMIN))


EVENTS = [nothing, removed, left, demoted, given_a_custom_role, deactivated, held, removed_and_taken_back]
OF_MANY_USES = {api_key, session, access_token}
OF_THE_PERSON = {password, password_link}  # not of the membership: whoever is a member again may sign in again


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_power__of_whatever_credential__ends_with_its_source(acme, event):
    admins = {credential: Admin(acme, add_person(acme, Role.ADMIN)) for credential in CREDENTIALS}
    probes = {credential: credential(admin) for credential, admin in admins.items()}

    for credential in OF_MANY_USES:
        assert probes[credential]()  # which memory knows from here on
    for admin in admins.values():
        event(admin)

    alive = {credential.__name__ for credential, probe in probes.items() if probe()}
    if event is nothing:
        assert alive == {credential.__name__ for credential in CREDENTIALS}
    elif event is removed_and_taken_back:
        assert alive == {credential.__name__ for credential in OF_THE_PERSON}
    else:
        assert alive == set()


def test_api_key__whose_maker_is_demoted__does_what_is_left_of_it(acme):
    admin = Admin(acme, add_person(acme, Role.ADMIN))
    robot = Program(acme.host, api_keys.create_api_key(actor=admin.subject, name="robot", scopes=FULL)[1])

    give(admin, Assigned(Role.VIEWER))

    assert robot.post("auth/validate").json()["permissions"] == ["projects:list", "projects:read"]
    assert robot.post("projects", {"name": "New"}).status_code == 403
    give(admin, Assigned(Role.ADMIN))
    assert robot.post("projects", {"name": "New"}).status_code == 201


def test_removal__of_a_member__revokes_what_they_handed_on_and_records_why(acme):
    admin = Admin(acme, add_person(acme, Role.ADMIN))
    for make in (api_key, invitation, invitation_of_a_key):
        make(admin)

    removed(admin)

    events = program_of(acme).get("audit/events").json()["results"]
    ended = [e for e in events if e["action"] in ("api_key.revoked", "invitation.revoked")]
    assert sorted(e["action"] for e in ended) == ["api_key.revoked"] * 2 + ["invitation.revoked"] * 2
    whose = {(e["metadata"]["user_id"], e["metadata"]["because"]) for e in ended}
    assert whose == {(str(admin.user.id), "member.removed")}
    assert program_of(acme).get("invitations").json()["results"] == []


def test_invitation__of_a_demoted_admin__counts_again_once_somebody_else_sends_it(acme):
    admin = Admin(acme, add_person(acme, Role.ADMIN))
    sent = invitations.invite(actor=admin.subject, email="guest@example.com", role=Assigned(Role.ADMIN))
    demoted(admin)
    assert not accepts(acme, sent)

    renewed = invitations.resend(actor=acme.subject, invitation_id=sent.id)

    assert accepts(acme, renewed)


def test_invitation__of_a_key_that_is_revoked_or_has_run_out__is_void(acme):
    admin = Admin(acme, add_person(acme, Role.ADMIN))
    for number, end in enumerate(({"revoked_at": timezone.now()}, {"expires_at": timezone.now()})):
        key, secret = api_keys.create_api_key(actor=admin.subject, name="inviting", scopes=FULL)
        body = {"email": f"guest{number}@example.com", "role": "member"}
        answer = Program(acme.host, secret).post("invitations", body)
        with control("end it"):
            ApiKey.objects.filter(id=key.id).update(**end)
            sent = Invitation.objects.get(id=answer.json()["id"])
        assert not accepts(acme, sent)


@pytest.mark.parametrize(
    ("scopes", "own", "status"),
    [
        (["keys:manage"], True, 204),
        (["billing:manage"], True, 204),
        (["keys:manage"], False, 204),
        (["projects:read"], False, 204),
        (["keys:manage", "projects:write"], False, 403),
        (["billing:manage"], False, 403),
    ],
)
def test_api_key__above_whoever_would_revoke_it__stays(acme, scopes, own, status):
    """One's own may be revoked, and what does no more than one may oneself."""
    role = roles.create_role(actor=acme.subject, name="Keys", permissions=["keys:manage", "projects:read"])
    warden = add_person(acme)
    key = api_keys.create_api_key(actor=acme.subject, name="robot", scopes=scopes)[0]
    if own:
        with control("make it theirs"):
            ApiKey.objects.filter(id=key.id).update(created_by_id=warden.id)
    give(Admin(acme, warden), Assigned(Role.CUSTOM, role))
    wardens_key = api_keys.create_api_key(
        actor=subject_of(acme, warden), name="warden", scopes=["keys:manage", "projects:read"]
    )[1]

    if not own:
        assert Program(acme.host, wardens_key).call("delete", f"api-keys/{key.id}").status_code == status
    if status == 403 or own:
        assert program_of(acme, warden).call("delete", f"api-keys/{key.id}").status_code == status


def test_api_key__that_lives_for_seconds__makes_nothing_that_lives_longer(acme):
    """Every route that makes a credential, asked with a key that has every scope."""
    soon = timezone.now() + timedelta(seconds=30)
    key, secret = api_keys.create_api_key(actor=acme.subject, name="short", scopes=FULL, expires_at=soon)
    robot = Program(acme.host, secret)

    made = robot.post("api-keys", {"name": "long", "scopes": ["projects:read"]})
    sent = robot.post("invitations", {"email": "guest@example.com", "role": "member"})
    with control("let time pass"):
        ApiKey.objects.filter(id=key.id).update(expires_at=clocks.over())
        row = Invitation.objects.get(id=sent.json()["id"])

    assert (made.status_code, sent.status_code, accepts(acme, row)) == (403, 201, False)


def test_sign_in__on_the_apex_of_several__leaves_out_the_one_on_hold(acme, platform):
    other = platform["pool"][0]
    person = add_person(acme)
    with control("join"), atomic():
        members.add_member(tenant_id=other.tenant.id, user=person)
    credentials = {"email": person.email, "password": PASSWORD}
    assert Program(APEX).post("auth/login", credentials).json()["code"] == "organization_required"

    lifecycle.hold(slug=acme.tenant.slug, reason="unpaid", actor=SYSTEM)

    answer = Program(APEX).post("auth/login", credentials)
    assert answer.json()["tenant"]["slug"] == other.tenant.slug
    named = Program(APEX).post("auth/login", {**credentials, "organization": acme.tenant.slug})
    assert (named.status_code, named.json()["code"]) == (403, "tenant_held")


def test_refresh_token__tried_while_the_organization_is_on_hold__is_not_spent(acme):
    token = issue(acme).refresh
    lifecycle.hold(slug=acme.tenant.slug, reason="unpaid", actor=SYSTEM)

    refused = Program(APEX).post("auth/refresh", {"refresh": token})
    lifecycle.release(slug=acme.tenant.slug, actor=SYSTEM)

    assert (refused.status_code, refused.json()["code"]) == (403, "tenant_held")
    assert Program(APEX).post("auth/refresh", {"refresh": token}).status_code == 200


# -- an account that turns out to be somebody else's -------------------------------------------------------------


def by_accepting(acme: Organization, email: str) -> None:
    with acme.inside():
        sent = invitations.invite(actor=acme.subject, email=email, role=Assigned("viewer"))
        invitations.accept(token=invitations.make_token(sent), password="what the real one chooses")


def by_founding(acme: Organization, email: str) -> None:
    ensure_organization(organization="Theirs", owner_email=email)


@pytest.mark.parametrize("takes_over", [by_accepting, by_founding])
def test_account__that_was_made_with_somebody_elses_address__leaves_nothing_behind(acme, takes_over):
    schema_store.replenish()
    squat = sign_up(organization="Squat", email="real@example.com", password="what the squatter chooses")
    squatter = subjects.of_membership(memberships_of(squat.owner)[0])
    with use(squat.tenant.context()):
        _, secret = api_keys.create_api_key(actor=squatter, name="Robot", scopes=["users:manage"])
        sent = invitations.invite(actor=squatter, email="friend@example.com", role=Assigned("admin"))
    host = primary_domain(squat.tenant.id).domain
    assert Program(host, secret).get("invitations").status_code == 200

    takes_over(acme, "real@example.com")

    assert Program(host, secret).get("invitations").status_code == 401
    with control("look"):
        assert Invitation.objects.get(id=sent.id).revoked_at is not None
