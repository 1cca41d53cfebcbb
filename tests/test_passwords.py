"""Passwords are hashed in one form, and those that can be guessed from what is known are refused."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError

from apps.accounts import passwords
from apps.accounts.errors import PasswordLinkRefused, WeakPassword
from apps.accounts.models import User
from apps.accounts.roles import Assigned
from apps.accounts.services import invitations, people
from apps.audit.actors import SYSTEM
from apps.onboarding.services import sign_up
from apps.staff import services as staff
from tests.support.clients import Program
from tests.support.factories import PASSWORD, add_person

AROUND = "ada.lovelace@robotics.example Acme Robotics acme-robotics"
GUESSABLE = [
    "aaaaaaaaaaaaaaa",
    "passwordpassword",
    "PasswordPassword1",
    "password12345678",
    "abcdefghijklmnop",
    "ponmlkjihgfedcba",
    "123456789012345",
    "qwertyuiopasdfghjkl",
    "qwertzuiopasdfghjkl",
    "asdfghjklasdfghjkl",
    "abcabcabcabcabcabc",
    "hunter2hunter2hunter2",
    "xyzzy xyzzy xyzzy xyzzy",
    "aaaabbbbccccddddeeee",
    "ada.lovelace@robotics.example",
    "ADA.LOVELACE@ROBOTICS.EXAMPLE",
    "adalovelacerobotics1",
    "AcmeRobotics2026!",
    "acme-robotics-acme-robotics",
    "Acme Robotics Acme Robotics",
    "scitoborscitoborscitobor",
    "Tenantry Tenantry 2026",
    ". . . . . . . . . . .",
    "!?!?!?!?!?!?!?!?!?",
    "ａａａａａａａａａａａａａａａ",
    "・・・・・・・・・・・・・・・・",
    "password1password2",
    "thisisapassword",
    "iloveyouverymuch",
    "P@ssw0rdP@ssw0rd",
    "1q2w3e4r5t6y7u8i",
    "p-a-s-s-w-o-r-d-1-2-3",
    "changeme changeme now",
    "a" * 5_000,
]
GOOD = [
    PASSWORD,
    "demo password for acme",
    "correct horse battery staple",
    "wir treffen uns am Bahnhof",
    "8fK!q2Lz9#vTr4Wx",
    "пароль из четырёх слов",
    "我们在火车站见面然后一起去吃晚饭",
    "🦊 jumps over the 🐢 twice",
    "first, then the rest of it",
    "!§$%&/()=?+*#-_:;",
    "🦊🐢🦉🐝🦀🐙🦋🐌🐞🦎🐬🦔🐿🦇🐓",
]


@pytest.mark.parametrize("password", GUESSABLE)
def test_password__that_can_be_guessed__is_refused(password):
    with pytest.raises(ValidationError):
        passwords.check(password, around=AROUND)


@pytest.mark.parametrize("password", GOOD)
def test_password__that_cannot_be_guessed__is_taken(password):
    passwords.check(password, around=AROUND)


def by_sign_up(acme: Any, password: str) -> None:
    sign_up(organization=acme.tenant.name, email="new@example.com", password=password)


def by_link(acme: Any, password: str) -> None:
    person = add_person(acme)
    with acme.inside():
        people.set_password(user_id=person.pk, token=people.make_password_token(person), password=password)


def by_change(acme: Any, password: str) -> None:
    with acme.inside():
        people.change_password(user=add_person(acme), old=PASSWORD, new=password, actor=SYSTEM)


def by_invitation(acme: Any, password: str) -> None:
    with acme.inside():
        sent = invitations.invite(actor=acme.subject, email="new@example.com", role=Assigned("member"))
        invitations.accept(token=invitations.make_token(sent), password=password)


def by_command(acme: Any, password: str) -> None:
    staff.appoint(email="new@example.com", password=password, is_superuser=False, actor=SYSTEM)


REFUSED = ["aaaaaaaaaaaaaaaa", "passwordpassword", "{name} {name} {name}", "example.com 12345"]
WAYS = {"sign-up": by_sign_up, "link": by_link, "change": by_change, "invitation": by_invitation, "command": by_command}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("password", REFUSED)
def test_password__wherever_it_is_chosen__is_held_to_the_same(acme, way, password):
    if way == "command":  # which is of no organization
        password = password.replace("name", "0")
    with pytest.raises(WeakPassword):
        WAYS[way](acme, password.format("Tenantry", name=acme.tenant.name))


# -- forms -------------------------------------------------------------------------------------------------------

ACCENTS = "Zürich im Frühjahr, café"
COMPOSED, DECOMPOSED = unicodedata.normalize("NFC", ACCENTS), unicodedata.normalize("NFD", ACCENTS)


@pytest.mark.parametrize(("chosen", "typed"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED), (COMPOSED, COMPOSED)])
def test_password__typed_in_another_form__is_the_same(acme, chosen, typed):
    person = add_person(acme)
    with acme.inside():
        people.change_password(user=person, old=PASSWORD, new=chosen, actor=SYSTEM)

    answer = Program(acme.host).post("auth/login", {"email": person.email, "password": typed})

    assert answer.status_code == 200


@pytest.mark.parametrize("hashed", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("typed", [COMPOSED, DECOMPOSED])
def test_hash__from_before_there_was_one_form__still_holds(hashed, typed):
    person = User(email="ada@example.com")
    AbstractBaseUser.set_password(person, hashed)

    assert person.check_password(typed)
    assert not person.check_password(typed + "!")


def test_hash__of_what_is_chosen_now__is_that_of_form_c():
    person = User(email="ada@example.com")

    person.set_password(DECOMPOSED)

    assert AbstractBaseUser.check_password(person, COMPOSED)


# -- links -------------------------------------------------------------------------------------------------------


def set_by(token: str, person: User, acme: Any, password: str) -> None:
    with acme.inside():
        people.set_password(user_id=person.pk, token=token, password=password)


def test_link__while_somebody_signs_in__stays_good_until_it_is_used(acme, sign_in):
    person = add_person(acme)
    token = people.make_password_token(person)

    sign_in(acme, person)
    Program(acme.host).post("auth/login", {"email": person.email, "password": PASSWORD})
    set_by(token, person, acme, "another password that is long enough")

    with pytest.raises(PasswordLinkRefused):
        set_by(token, person, acme, PASSWORD)


def test_link__from_before_the_password_was_changed__is_spent(acme):
    person = add_person(acme)
    token = people.make_password_token(person)
    with acme.inside():
        people.change_password(user=person, old=PASSWORD, new="another password that is long enough", actor=SYSTEM)

    with pytest.raises(PasswordLinkRefused):
        set_by(token, person, acme, PASSWORD)


def test_link__of_somebody_else__is_refused(acme):
    with pytest.raises(PasswordLinkRefused):
        set_by(people.make_password_token(add_person(acme)), add_person(acme), acme, PASSWORD)
