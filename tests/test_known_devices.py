"""Whoever guesses is held, from however many networks; whom they guess about gets in where they are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from typing import Any

import pytest
from django.conf import settings as configuration
from django.core import signing
from django.test import Client
from django.urls import reverse
from django.utils import translation

from apps.accounts import known_devices
from apps.accounts.models import Invitation
from apps.accounts.services import people
from apps.audit.actors import SYSTEM
from apps.core.durations import in_words
from apps.core.memory import MemoryAway
from apps.staff import services as staff
from apps.tenancy.context import control
from apps.tenants.services.profiles import update_profile
from tests.support.clients import APEX, API, Program, program_of
from tests.support.factories import PASSWORD, Organization, add_person
from tests.support.limits import allow

ATTACKERS = 70  # networks
NEW_PASSWORD = "another password that is long enough"


@dataclass(frozen=True)
class Door:
    """Where somebody shows a password: how, and what is answered to the right one, a wrong one, and one too many."""

    name: str
    path: str
    body: Callable[[str, str], dict[str, str]]
    right: int
    wrong: int
    on_apex: bool = False
    is_page: bool = False

    def browser(self, acme: Any, address: str = "198.51.100.1") -> Client:
        return Client(HTTP_HOST=APEX if self.on_apex else acme.host, REMOTE_ADDR=address)

    def knock(self, client: Client, email: str, password: str) -> int:
        kind = {} if self.is_page else {"content_type": "application/json"}
        return int(client.post(self.path, self.body(email, password), **kind).status_code)


DOORS = [
    Door("page", "/sign-in/", lambda e, p: {"login": e, "password": p}, 302, 200, is_page=True),
    Door("api", f"{API}/auth/login", lambda e, p: {"email": e, "password": p}, 200, 401),
    Door("api on the apex", f"{API}/auth/login", lambda e, p: {"email": e, "password": p}, 200, 401, on_apex=True),
    Door("staff", "/admin/login/", lambda e, p: {"username": e, "password": p}, 302, 200, on_apex=True, is_page=True),
]
each_door = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)


@pytest.fixture(params=["memory", "database"])
def counter(request, monkeypatch) -> str:
    """Where attempts are counted."""
    if request.param == "database":

        def away(*_: Any) -> None:
            raise MemoryAway

        monkeypatch.setattr("apps.access.services.attempts.limits.count", away)
    return str(request.param)


@pytest.fixture
def person(acme) -> str:
    """The address of a member who is staff, too."""
    user = add_person(acme)
    staff.appoint(email=user.email, password=PASSWORD, is_superuser=False, actor=SYSTEM)
    return user.email


@pytest.mark.sampled(3)
@each_door
def test_attack__from_many_networks__is_bounded_and_leaves_the_known_device_alone(acme, person, counter, door):
    own = door.browser(acme)
    assert door.knock(own, person, PASSWORD) == door.right

    guesses = [door.knock(door.browser(acme, f"192.0.2.{n}"), person, f"guess {n}") for n in range(ATTACKERS)]

    limit = configuration.ATTEMPT_LIMITS["sign-in"]
    assert guesses.count(door.wrong) == limit["account"] - 1  # the device came as a stranger, once
    assert set(guesses) == {door.wrong, 429}
    assert door.knock(door.browser(acme, "203.0.113.1"), person, PASSWORD) == 429  # a stranger, password or not
    again = door.browser(acme)
    again.cookies[configuration.DEVICE_COOKIE_NAME] = own.cookies[configuration.DEVICE_COOKIE_NAME].value
    assert door.knock(again, person, PASSWORD) == door.right


@each_door
def test_attack__by_signing_up__gives_no_more_guesses_than_signing_in(acme, person, settings, door):
    allow(settings, "sign-in", account=3)
    for number in range(3):
        content = {"organization": f"New {number}", "email": person, "password": f"guess number {number} at it"}
        Client(HTTP_HOST=APEX, REMOTE_ADDR=f"192.0.2.{number}").post(
            f"{API}/auth/register", content, content_type="application/json"
        )

    assert door.knock(door.browser(acme, "203.0.113.1"), person, "another guess") == 429


def spellings(address: str) -> list[str]:
    """The same address written otherwise: capitals, and in its domain what the DNS leaves out or takes for a dot."""
    local, _, domain = address.partition("@")
    hidden = [f"{local}@{domain[:at]}\u00ad{domain[at:]}" for at in range(1, len(domain))]
    return [address.upper(), *hidden, f"{local}@{domain.replace('.', chr(0x3002))}"]


@each_door
def test_attack__by_an_address_written_otherwise__is_one_at_the_same_account(acme, person, settings, door):
    allow(settings, "sign-in", account=3)
    guesses = [
        door.knock(door.browser(acme, f"192.0.2.{number}"), written, f"guess {number}")
        for number, written in enumerate(spellings(person))
    ]

    assert guesses == [door.wrong] * 3 + [429] * (len(guesses) - 3)


@each_door
def test_attack__from_the_own_network__leaves_the_known_device_and_other_networks_alone(acme, person, counter, door):
    known = door.browser(acme)
    door.knock(known, person, PASSWORD)
    cookie = known.cookies[configuration.DEVICE_COOKIE_NAME].value

    guesses = [door.knock(door.browser(acme), person, f"guess {n}") for n in range(12)]

    own = door.browser(acme)
    own.cookies[configuration.DEVICE_COOKIE_NAME] = cookie
    assert 429 in guesses
    assert door.knock(own, person, PASSWORD) == door.right
    assert door.knock(door.browser(acme, "203.0.113.1"), person, PASSWORD) == door.right


def test_device__that_is_known__guesses_no_more_than_it_may(acme, person, counter):
    door, client = DOORS[1], DOORS[1].browser(acme)
    door.knock(client, person, PASSWORD)

    guesses = [door.knock(client, person, f"guess {n}") for n in range(12)]

    assert guesses.count(401) == configuration.ATTEMPT_LIMITS["sign-in"]["device"]
    assert guesses[-1] == 429


def exhausted(acme: Any, settings: Any, email: str) -> None:
    """Strangers have no attempt left."""
    allow(settings, "sign-in", account=1, device=10)
    DOORS[1].knock(DOORS[1].browser(acme, "192.0.2.1"), email, "wrong")


def with_cookie(acme: Any, value: str) -> Client:
    client = DOORS[1].browser(acme)
    client.cookies[configuration.DEVICE_COOKIE_NAME] = value
    return client


def test_device__known_to_somebody_else__is_a_strangers(acme, person, settings):
    other = DOORS[1].browser(acme)
    DOORS[1].knock(other, add_person(acme).email, PASSWORD)
    exhausted(acme, settings, person)

    assert DOORS[1].knock(other, person, PASSWORD) == 429


def test_device__known_to_several__is_known_to_each(acme, person, settings):
    shared = DOORS[1].browser(acme)
    for email in (person, add_person(acme).email):
        DOORS[1].knock(shared, email, PASSWORD)
    exhausted(acme, settings, person)

    assert DOORS[1].knock(shared, person, PASSWORD) == 200


@pytest.mark.parametrize("salt", ["", "another", known_devices.SALT])
def test_cookie__that_is_not_ours_or_of_nobody__makes_no_device_known(acme, person, settings, salt):
    exhausted(acme, settings, person)
    value = signing.dumps(["device", ["mark"]], salt=salt) if salt else "no signature"

    assert DOORS[1].knock(with_cookie(acme, value), person, PASSWORD) == 429


def test_device__after_the_password_was_changed__is_a_strangers(acme, person, settings):
    """Or whoever once held the password could have collected devices to guess with."""
    client = DOORS[1].browser(acme)
    DOORS[1].knock(client, person, PASSWORD)
    user = known_devices.person_of_address(person)
    with acme.inside():
        people.change_password(user=user, old=PASSWORD, new=NEW_PASSWORD, actor=SYSTEM)
    exhausted(acme, settings, person)

    assert DOORS[1].knock(client, person, NEW_PASSWORD) == 429


def test_link_from_a_mail__during_an_attack__is_the_way_in_for_a_new_device(acme, person, settings):
    exhausted(acme, settings, person)
    user = known_devices.person_of_address(person)
    client = Client(HTTP_HOST=acme.host)

    address = reverse("set-password", args=[user.pk, people.make_password_token(user)])
    client.post(address, {"password": NEW_PASSWORD})

    assert DOORS[0].knock(client, person, NEW_PASSWORD) == 302


def test_page__opened_again_by_who_is_signed_in__makes_nobody_known(acme, sign_in):
    client = sign_in(acme)
    del client.cookies[configuration.DEVICE_COOKIE_NAME]

    client.post("/sign-in/", {"login": acme.owner.email, "password": "not shown"})

    assert configuration.DEVICE_COOKIE_NAME not in client.cookies


def test_cookie__of_a_device__is_kept_from_scripts_and_other_sites(acme, person):
    client = DOORS[1].browser(acme)

    DOORS[1].knock(client, person, PASSWORD)

    cookie = client.cookies[configuration.DEVICE_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Lax", "/", "")
    assert person not in cookie.value


# -- what is counted by itself -----------------------------------------------------------------------------------


def test_change_of_ones_own_password__while_strangers_guess_at_the_id__is_left_alone(acme, sign_in, settings):
    allow(settings, "sign-in", account=2, pair=2, network=3)
    browser = sign_in(acme)
    for number in range(4):
        stranger = Client(HTTP_HOST=acme.host, REMOTE_ADDR=f"192.0.2.{number}")
        stranger.post("/sign-in/", {"login": str(acme.owner.pk), "password": "wrong"})

    answer = browser.post("/security/", {"old_password": PASSWORD, "new_password": NEW_PASSWORD})

    assert answer.status_code == 302


@pytest.mark.parametrize("is_page", [True, False])
def test_invitations__to_one_address__are_bounded_whoever_sends_them(platform, database, sign_in, settings, is_page):
    allow(settings, "recipient", account=3)
    senders, address = platform["schema"], "target@example.com"

    def mail(organization: Organization, written: str) -> int:
        if is_page:
            answer = sign_in(organization).post("/invitations/new/", {"email": written, "role": "viewer"})
        else:
            answer = program_of(organization).post("invitations", {"email": written, "role": "viewer"})
        return int(answer.status_code)

    first, second = (mail(organization, address) for organization in senders)
    with control("look"):
        sent = Invitation.objects.get(tenant=senders[0].tenant)
    again = [program_of(senders[0]).post(f"invitations/{sent.id}/resend").status_code for _ in range(2)]

    assert (first, second) == ((302, 302) if is_page else (201, 201))
    assert again == [200, 429]
    assert mail(platform["pool"][0], address.upper()) in (422, 429)


# -- words -------------------------------------------------------------------------------------------------------

WAYS = {
    "sign-in": ("/sign-in/", {"login": "x@example.com", "password": "x"}),
    "reset": ("/sign-in/reset/", {"email": "x@example.com"}),
    "lookup": ("/find-organizations/", {"email": "x@example.com"}),
    "sign-up": ("/sign-up/", {"organization": "New", "email": "x@example.com", "password": "short"}),
    "acceptance": (f"{API}/invitations/accept", {"token": "t", "password": PASSWORD}),
    "invitation": ("/invitations/new/", {"email": "x@example.com", "role": "viewer"}),
    "recipient": ("/invitations/new/", {"email": "x@example.com", "role": "viewer"}),
    "verification": ("/profile/verification/", {}),
    "password": ("/security/", {"old_password": "wrong", "new_password": "another one that is long"}),
}
SIGNED_IN = {"invitation", "recipient", "verification", "password"}
ON_APEX = {"lookup", "sign-up"}


def test_limits__all__are_met_here():
    assert WAYS.keys() == configuration.ATTEMPT_LIMITS.keys()


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("seconds", [50, 3600])
@pytest.mark.parametrize("action", WAYS)
def test_limit__in_every_language__says_how_long_to_wait(acme, sign_in, settings, action, seconds, language):
    settings.ATTEMPT_LIMITS = {**settings.ATTEMPT_LIMITS, action: {"account": 1, "seconds": seconds}}
    update_profile(actor=SYSTEM, tenant_id=acme.tenant.id, locale=language)
    client = sign_in(acme) if action in SIGNED_IN else Client()
    client.defaults |= {"HTTP_HOST": APEX if action in ON_APEX else acme.host, "HTTP_ACCEPT_LANGUAGE": language}
    path, body = WAYS[action]
    kind = {"content_type": "application/json"} if path.startswith(API) else {}
    client.post(path, body, **kind)

    answer = client.post(path, body, **kind)

    assert answer.status_code in (422, 429)
    wait = int(answer["Retry-After"])
    with translation.override("en" if path.startswith(API) else language):
        assert in_words(wait) in unescape(answer.content.decode())


@pytest.mark.parametrize("language", ["en", "de"])
def test_limit_of_requests__in_every_language__says_how_long_to_wait(acme, settings, language):
    settings.REQUESTS_PER_MINUTE_ADDRESS = 1
    update_profile(actor=SYSTEM, tenant_id=acme.tenant.id, locale=language)
    page, program = Client(HTTP_HOST=acme.host), Program(acme.host)
    page.get("/sign-in/")

    shown, told = page.get("/sign-in/"), program.get("permissions")

    with translation.override(language):
        assert in_words(int(shown["Retry-After"])) in unescape(shown.content.decode())
    assert in_words(int(told["Retry-After"])) in told.json()["detail"]


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        (1, "1 second", "1 Sekunde"),
        (119, "119 seconds", "119 Sekunden"),
        (120, "2 minutes", "2 Minuten"),
        (2935, "49 minutes", "49 Minuten"),
        (3600, "60 minutes", "60 Minuten"),
    ],
)
def test_time_to_wait__in_words__is_never_less(database, seconds, english, german):
    assert in_words(seconds) == english
    with translation.override("de"):
        assert in_words(seconds) == german


# -- invitations -------------------------------------------------------------------------------------------------


def test_invitations__of_one_network__are_limited_for_each_organization_alone(platform, database, settings):
    """As where many people of many organizations are behind one address."""
    settings.ATTEMPT_LIMITS = {**settings.ATTEMPT_LIMITS, "invitation": {"account": 2, "seconds": 300}}
    home, foreign = platform["pool"]

    def invite(organization: Any, number: int) -> int:
        body = {"email": f"x{number}@example.com", "role": "viewer"}
        return int(program_of(organization).post("invitations", body).status_code)

    assert [invite(home, n) for n in range(3)] == [201, 201, 429]
    assert invite(foreign, 0) == 201
    assert Program(home.host).post("invitations/accept", {"token": "t", "password": PASSWORD}).status_code != 429
