"""What one machine issues holds on another whose clock is a little ahead or behind, and no longer than that."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
import time_machine
from django.conf import settings as configuration
from django.utils import timezone

from apps.access.permissions import PROJECTS_READ
from apps.accounts import revocation
from apps.accounts.errors import HandoffRefused, InvitationRefused, PasswordLinkRefused, VerificationRefused
from apps.accounts.keyset import keyset
from apps.accounts.models import SigningKey
from apps.accounts.roles import Assigned
from apps.accounts.services import api_keys, handoff, invitations, people
from apps.accounts.sessions import SessionStore
from apps.core.errors import DomainError
from apps.projects.errors import DownloadRefused
from apps.projects.services import documents
from apps.tenancy.context import control
from apps.tenancy.planes import control_models, tenant_models
from tests.support.clients import ME, Program, issue
from tests.support.factories import Organization, add_document, add_person, add_project
from tests.support.fields import APPS

LEEWAY = configuration.CLOCK_LEEWAY_SECONDS
DAY = 24 * 3600
NEW_PASSWORD = "another password that is long enough"

Check = Callable[[], bool]


class Issued(NamedTuple):
    """What is issued for so many seconds: made now, it comes with the check that another machine makes."""

    seconds: int
    make: Callable[[Organization], Check]


def holds(check: Callable[[], Any], refusal: type[DomainError]) -> bool:
    try:
        check()
    except refusal:
        return False
    return True


def access_token(acme: Organization) -> Check:
    program = Program(acme.host, issue(acme).access)
    return lambda: bool(program.get(ME).status_code == 200)


def remembered_token(acme: Organization) -> Check:
    """One that was verified before, which is not verified again."""
    works = access_token(acme)
    works()
    return works


def refresh_token(acme: Organization) -> Check:
    token = issue(acme).refresh
    return lambda: bool(Program(acme.host).post("auth/refresh", {"refresh": token}).status_code == 200)


def handoff_code(acme: Organization) -> Check:
    code = handoff.issue_handoff_code(tenant_id=acme.tenant.id, person=acme.owner)

    def check() -> bool:
        with acme.inside():
            return holds(lambda: handoff.redeem_handoff_code(code=code), HandoffRefused)

    return check


def password_link(acme: Organization) -> Check:
    person = add_person(acme)
    token = people.make_password_token(person)

    def check() -> bool:
        with acme.inside():
            return holds(
                lambda: people.set_password(user_id=person.pk, token=token, password=NEW_PASSWORD), PasswordLinkRefused
            )

    return check


def verification_link(acme: Organization) -> Check:
    person = add_person(acme)
    token = people.make_verification_token(person)

    def check() -> bool:
        with acme.inside():
            return holds(lambda: people.verify_email(user=person, token=token, actor=acme.subject), VerificationRefused)

    return check


def invitation_link(acme: Organization) -> Check:
    with acme.inside():
        sent = invitations.invite(actor=acme.subject, email="new@example.com", role=Assigned("member"))

    def check() -> bool:
        with acme.inside():
            return holds(lambda: invitations.open_invitation(invitations.make_token(sent)), InvitationRefused)

    return check


def download_link(acme: Organization) -> Check:
    document, who = add_document(acme, add_project(acme)), acme.subject
    with acme.inside():
        signature = documents.sign_download(document=document, subject=who)

    def check() -> bool:
        with acme.inside():
            refused = DownloadRefused
            return holds(lambda: documents.check_download(document=document, subject=who, signature=signature), refused)

    return check


def session(acme: Organization) -> Check:
    with acme.inside():
        store = SessionStore()
        store["kept"] = True
        store.create()

    def check() -> bool:
        with acme.inside():
            return bool(SessionStore(store.session_key).load())

    return check


def api_key(acme: Organization) -> Check:
    with acme.inside():
        until = timezone.now() + timedelta(days=1)
        made = {"name": "Key", "scopes": [PROJECTS_READ], "expires_at": until}
        _key, secret = api_keys.create_api_key(actor=acme.subject, **made)
    return lambda: bool(Program(acme.host, secret).get("projects").status_code == 200)


ISSUED = {
    "access token": Issued(configuration.ACCESS_TOKEN_SECONDS, access_token),
    "access token, verified before": Issued(configuration.ACCESS_TOKEN_SECONDS, remembered_token),
    "refresh token": Issued(configuration.REFRESH_TOKEN_SECONDS, refresh_token),
    "hand-off code": Issued(configuration.HANDOFF_SECONDS, handoff_code),
    "password link": Issued(3 * DAY, password_link),
    "verification link": Issued(people.VERIFICATION_SECONDS, verification_link),
    "invitation": Issued(configuration.INVITATION_DAYS * DAY, invitation_link),
    "download link": Issued(configuration.DOCUMENT_LINK_SECONDS, download_link),
    "session": Issued(configuration.SESSION_COOKIE_AGE, session),
    "API key": Issued(DAY, api_key),
}
each_issued = pytest.mark.parametrize("issued", ISSUED.values(), ids=ISSUED.keys())


def on_a_clock(check: Check, seconds: float) -> bool:
    with time_machine.travel(datetime.now().astimezone() + timedelta(seconds=seconds)):
        return check()


@each_issued
def test_issued__by_a_clock_that_is_ahead__holds_at_once(acme, issued):
    assert on_a_clock(issued.make(acme), 2 - LEEWAY)


@each_issued
def test_issued__checked_by_a_clock_that_is_ahead__holds_to_its_end(acme, issued):
    assert on_a_clock(issued.make(acme), issued.seconds + LEEWAY - 5)


@each_issued
def test_issued__after_its_end_by_every_clock__is_refused(acme, issued):
    assert not on_a_clock(issued.make(acme), issued.seconds + LEEWAY + 5)


def test_signing_key__made_by_a_clock_that_is_ahead__signs(acme):
    """The first of an installation is the only one there is."""
    with control("make all keys of a clock that is ahead"):
        SigningKey.objects.update(signs_from=timezone.now() + timedelta(seconds=LEEWAY - 5))
    keyset.forget()
    try:
        assert Program(acme.host, issue(acme).access).get(ME).status_code == 200
    finally:
        with control("put the clock right"):
            SigningKey.objects.update(signs_from=timezone.now() - timedelta(days=1))
        keyset.forget()


def test_memory__of_void_tokens__lasts_as_long_as_any_clock_takes_them():
    assert revocation.SPARE_SECONDS > LEEWAY


# What ends is checked with leeway, but for what is said to end to the second.
CHECKED = {"HandoffCode", "Invitation", "TokenFamily", "RefreshToken", "RevokedToken", "ApiKey", "Session"}
TO_THE_SECOND = {
    "SupportVisit": "the organization is promised an hour at most",
    "IdempotentCall": "only a repeated call asks, within a day",
}


def test_models__with_an_end__are_all_considered():
    ending = {
        model.__name__
        for model in (*control_models(), *tenant_models())
        if {"expires_at", "expire_date"} & {field.name for field in model._meta.fields}
    }

    assert ending == CHECKED | TO_THE_SECOND.keys()


CHECKS = re.compile(
    r"signing\.loads\(|max_age=(?!SECONDS|max_age|THEME)|jwt\.decode\(|expire\w*__gte?=(?!clocks\.over)"
)
ALLOWED = {
    "core/clocks.py": "gives the leeway",
    "accounts/tokens.py": "gives the leeway to PyJWT",
    "accounts/selectors.py": "visits, and what is shown of sessions",
    "accounts/services/visits.py": "visits that are going on",
    "access/services/idempotency.py": "repeated calls",
}


def test_code__that_checks_an_end__asks_for_the_leeway():
    found = {
        str(path.relative_to(APPS))
        for path in APPS.rglob("*.py")
        if "stripe_sandbox" not in path.parts and "migrations" not in path.parts and CHECKS.search(path.read_text())
    }

    assert found == ALLOWED.keys()
