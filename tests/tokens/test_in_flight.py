"""Whoever proves who they are while their password changes gets nothing by the old one, whichever way in they take."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client

from apps.accounts.models import TokenFamily, User
from apps.accounts.roles import Assigned
from apps.accounts.services import invitations, people
from apps.audit.actors import SYSTEM
from apps.staff import services as staff
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from apps.tenants.services import schema_store
from tests.support.clients import APEX, API, ME, Program
from tests.support.factories import PASSWORD, Organization, add_person, create_organization
from tests.support.routes import address_of

NEW_PASSWORD = "another password that is long enough"


@pytest.fixture
def changing(monkeypatch) -> Any:
    """Lets the person's password change, as by a link from a mail, once the next one was found to be theirs."""

    def arm(person: User) -> None:
        check = User.check_password

        def check_then_change(self: User, raw: str) -> bool:
            is_theirs = check(self, raw)
            if is_theirs and self.pk == person.pk:
                monkeypatch.setattr(User, "check_password", check)
                with control("change meanwhile"), atomic():
                    row = User.objects.get(pk=person.pk)
                    row.password = make_password(NEW_PASSWORD)
                    people.store_password(row)
            return is_theirs

        monkeypatch.setattr(User, "check_password", check_then_change)

    return arm


def by_api(acme: Organization, person: User) -> bool:
    answer = Program(acme.host).post("auth/login", {"email": person.email, "password": PASSWORD})
    return answer.status_code == 200 and Program(acme.host, answer.json()["access"]).get(ME).status_code == 200


def by_page(acme: Organization, person: User) -> bool:
    client = Client(HTTP_HOST=acme.host)
    client.post("/sign-in/", {"login": person.email, "password": PASSWORD})
    return client.get("/profile/").status_code == 200


def by_founding_by_api(acme: Organization, person: User) -> bool:
    founding = {"organization": "Another", "email": person.email, "password": PASSWORD}
    Program(APEX).post(f"{API}/auth/register", founding)
    with control("look"):
        return TokenFamily.objects.filter(user_id=person.pk, revoked_at=None).exists()


def by_founding_by_page(acme: Organization, person: User) -> bool:
    founding = {"organization": "Another", "email": person.email, "password": PASSWORD}
    answer = Client(HTTP_HOST=APEX).post("/sign-up/", founding)
    if answer.status_code != 302:
        return False
    host = answer["Location"].split("/")[2].split(":")[0]
    client = Client(HTTP_HOST=host)
    client.get("/" + answer["Location"].split("/", 3)[3])
    return client.get("/profile/").status_code == 200


def invited(person: User) -> tuple[Organization, str]:
    other = create_organization("Other", "schema")
    with other.inside():
        sent = invitations.invite(actor=other.subject, email=person.email, role=Assigned("viewer"))
    with control("prove the address"):
        person.emailaddress_set.update(verified=True)
    return other, invitations.make_token(sent)


def by_invitation_by_page(acme: Organization, person: User) -> bool:
    other, token = invited(person)
    client = Client(HTTP_HOST=other.host)
    client.post(address_of("accept-invitation", {"token": token}), {"password": PASSWORD})
    return client.get("/profile/").status_code == 200


def by_invitation_by_api(acme: Organization, person: User) -> bool:
    other, token = invited(person)
    answer = Program(other.host).post("invitations/accept", {"token": token, "password": PASSWORD})
    return answer.status_code == 201 and Program(other.host, answer.json()["access"]).get(ME).status_code == 200


def by_change_of_ones_own(acme: Organization, person: User) -> bool:
    with control("look"):
        user = User.objects.get(pk=person.pk)
    with acme.inside():
        try:
            people.change_password(user=user, old=PASSWORD, new="a third one, of some length", actor=SYSTEM)
        except people.WrongPassword:
            return False
    return True


def by_staff_page(acme: Organization, person: User) -> bool:
    staff.appoint(email=person.email, password=PASSWORD, is_superuser=False, actor=SYSTEM)
    client = Client(HTTP_HOST=APEX)
    client.post("/admin/login/", {"username": person.email, "password": PASSWORD})
    return client.get("/admin/").status_code == 200


WAYS = [
    by_api,
    by_page,
    by_founding_by_api,
    by_founding_by_page,
    by_invitation_by_page,
    by_invitation_by_api,
    by_change_of_ones_own,
    by_staff_page,
]


@pytest.fixture
def stocked(acme) -> None:
    """An organization that is founded is ready at once."""
    schema_store.replenish()


@pytest.mark.parametrize("way", WAYS)
def test_password__that_changes_while_it_is_proven__opens_nothing(acme, stocked, changing, way):
    person = add_person(acme)
    changing(person)

    assert not way(acme, person)
    with control("look"):
        assert User.objects.get(pk=person.pk).check_password(NEW_PASSWORD)


@pytest.mark.parametrize("way", WAYS)
def test_password__that_stays__opens_each_of_them(acme, stocked, way):
    assert way(acme, add_person(acme))
