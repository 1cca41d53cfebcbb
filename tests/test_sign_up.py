"""Creating an organization by page and API, and landing in it."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core import mail
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.models import HandoffCode, User
from apps.accounts.services import handoff
from apps.accounts.services.handoff import issue_handoff_code
from apps.accounts.services.people import make_password_token
from apps.core import clocks
from apps.notifications.tasks import send_welcome_email
from apps.onboarding.services import ensure_organization
from apps.tenancy.context import control, use
from apps.tenancy.schemas.blueprint import new_schema_name
from apps.tenancy.walls.context_statements import SCHEMA_NAME
from apps.tenants import slugs
from apps.tenants.models import Tenant
from apps.tenants.services import schema_store
from tests.support.factories import PASSWORD, Organization

NAUGHTY = [
    "",
    " ",
    "\x00",
    "null",
    "undefined",
    "NaN",
    "-1",
    "1e100",
    "'; DROP SCHEMA public CASCADE; --",
    '"',
    "`id`",
    "$(id)",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "Ünïcödé GmbH",
    "株式会社",
    "🦄🦄",
    "ﷺ",
    "\u202eevil",
    "xn--bcher-kva",
    "--",
    "a--b",
    "-a-",
    "pg_catalog",
    "public",
    "admin",
    "www",
    "localhost",
    "a" * 500,
    "a.b.c",
    "A B",
    "İstanbul",
    "ß",
    "%00",
    "{{7*7}}",
    "\r\nHost: x",
    "\ud800".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    "con",
    "0",
]
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@pytest.fixture
def stocked(platform, database) -> None:
    """A schema is ready to be claimed."""
    schema_store.replenish()


def apex() -> Client:
    return Client(HTTP_HOST="localhost", raise_request_exception=False)


def form(**changes: str) -> dict[str, str]:
    return {"organization": "New Org", "email": "new@example.com", "password": PASSWORD, **changes}


@pytest.mark.parametrize("name", NAUGHTY)
def test_slug__of_a_naughty_name__is_a_safe_dns_label(name):
    for slug in (slugs.slugify(name), *slugs.candidates(name)):
        assert LABEL.fullmatch(slug), slug
        assert slug not in slugs.RESERVED


@given(st.text(max_size=300))
def test_slug__of_any_text__is_a_safe_dns_label(name):
    slug = slugs.slugify(name)

    assert LABEL.fullmatch(slug)
    assert slug not in slugs.RESERVED
    assert slugs.slugify(name) == slug


def test_schema_name__is_generated_and_safe():
    names = {new_schema_name() for _ in range(100)}

    assert len(names) == 100
    assert all(SCHEMA_NAME.fullmatch(name) for name in names)


def test_page__signed_up__lands_signed_in_on_the_new_host(stocked):
    response = apex().post("/sign-up/", form())

    target = urlsplit(response["Location"])
    assert (response.status_code, target.hostname, target.path) == (302, "new-org.localhost", "/sign-in/handoff/")
    client = Client(HTTP_HOST="new-org.localhost")
    landed = client.get(f"{target.path}?{target.query}", follow=True)
    assert landed.status_code == 200
    assert b"No projects yet" in landed.content


@pytest.mark.parametrize("name", [n for n in NAUGHTY if n.strip(" \x00") and len(n) <= 200])
def test_api__register__takes_any_name(platform, database, name):
    body = {"organization": name, "email": "naughty@example.com", "password": PASSWORD}

    response = apex().post("/api/v1/auth/register", body, content_type="application/json")

    assert response.status_code in (201, 202, 400), response.content
    if response.status_code != 400:
        assert LABEL.fullmatch(response.json()["tenant"]["slug"])


def test_sign_up__with_control_characters_in_the_name__is_refused(stocked):
    response = apex().post(
        "/api/v1/auth/register", form(organization="New\x1bOrg\x01"), content_type="application/json"
    )

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "organization")


def test_api__register__answers_with_the_organizations_address(stocked):
    response = apex().post("/api/v1/auth/register", form(), content_type="application/json")

    assert response.status_code == 201
    assert response.json()["tenant"]["url"].startswith("http://new-org.localhost")
    assert response.json()["user"]["email"] == "new@example.com"


BAD = [
    ({"email": "nobody"}, "email"),
    ({"password": "short"}, "password"),
    ({"password": "yfdbufnjh10305070"}, "password"),
    ({"organization": ""}, "organization"),
    ({"organization": "x" * 201}, "organization"),
    ({"organization": "a\x00b"}, "organization"),
    ({"email": "a\x00@example.com"}, "email"),
    ({"password": ""}, "password"),
]


@pytest.mark.parametrize(("changes", "field"), BAD)
@pytest.mark.parametrize("way", ["page", "api"])
def test_sign_up__with_bad_input__names_the_field(platform, database, changes, field, way):
    data = form(**changes)
    if way == "page":
        response = apex().post("/sign-up/", data)
        assert response.status_code == 422
        assert f'id="id_{field}_error"'.encode() in response.content
        return
    response = apex().post("/api/v1/auth/register", data, content_type="application/json")
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert {e["field"] for e in response.json()["errors"]} == {field}


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b'"x"', b"\xff", b"{}", b'{"email": {}}'])
def test_api__register__with_a_broken_body__is_a_problem(platform, database, body):
    response = apex().post("/api/v1/auth/register", body, content_type="application/json")

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"


def test_sign_up__with_a_known_address__needs_its_password(acme):
    wrong = apex().post("/sign-up/", form(email=acme.owner.email, password="another long password"))
    right = apex().post("/sign-up/", form(email=acme.owner.email.upper()))

    assert wrong.status_code == 422
    assert right.status_code == 302
    with control("look"):
        assert User.objects.filter(email=acme.owner.email).count() == 1


@pytest.mark.parametrize("way", ["page", "api"])
def test_sign_up__tried_too_often__is_refused(platform, database, way):
    def attempt() -> int:
        data = form(email="guess@example.com", password="x")
        if way == "page":
            return apex().post("/sign-up/", data).status_code
        return apex().post("/api/v1/auth/register", data, content_type="application/json").status_code

    codes = [attempt() for _ in range(7)]

    assert codes[:5] == ([422] if way == "page" else [400]) * 5
    assert set(codes[5:]) <= {422, 429}
    assert codes[-1] == (422 if way == "page" else 429)


def test_sign_up__that_fails__leaves_no_person_behind(platform, database, monkeypatch):
    monkeypatch.setattr("apps.tenants.services.provisioning.slugs.candidates", lambda name: iter(["schema-home"]))

    response = apex().post("/sign-up/", form())

    assert response.status_code == 422
    with control("look"):
        assert not User.objects.filter(email="new@example.com").exists()


def test_invitation__of_an_address_somebody_signed_up_with__ends_their_access(stocked):
    apex().post("/sign-up/", form(organization="Squatter", email="ceo@example.com"))
    schema_store.replenish()
    ensure_organization(organization="Big Corp", owner_email="ceo@example.com")

    client = Client(HTTP_HOST="big-corp.localhost")
    response = client.post("/sign-in/", {"login": "ceo@example.com", "password": PASSWORD})

    assert response.status_code == 200, "the squatter's password opens nothing"
    assert client.get("/").status_code == 302


def test_owner__created_by_command__sets_a_password_by_the_mail_and_signs_in(stocked):
    created = ensure_organization(organization="By Command", owner_email="boss@example.com")
    with use(created.tenant.context()):
        send_welcome_email(event_id="x")
    address = urlsplit(re.search(r"http\S+", mail.outbox[-1].body)[0])
    client = Client(HTTP_HOST=str(address.hostname))

    weak = client.post(address.path, {"password": "short"})
    done = client.post(address.path, {"password": "chosen by the boss"})
    again = client.post(address.path, {"password": "chosen by a thief"})
    client.post("/sign-in/", {"login": "boss@example.com", "password": "chosen by the boss"})

    assert (weak.status_code, done.status_code, again.status_code) == (422, 302, 422)
    assert client.get("/").status_code == 200
    with control("look"):
        assert EmailAddress.objects.get(email="boss@example.com").verified


def test_password_link__on_another_host_or_forged__is_refused(home, foreign):
    token = make_password_token(home.owner)

    for host, user, proof in [
        (foreign.host, home.owner, token),
        (home.host, foreign.owner, token),
        (home.host, home.owner, token + "x"),
    ]:
        response = Client(HTTP_HOST=host).post(f"/sign-in/password/{user.id}/{proof}/", {"password": "p" * 20})
        assert response.status_code == 422
    with control("look"):
        assert User.objects.get(id=home.owner.id).check_password(PASSWORD)


@pytest.mark.parametrize("algorithm", ["bcrypt", "bcrypt_sha256"])
def test_password__hashed_with_bcrypt__opens_and_is_upgraded(acme, algorithm, settings):
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.Argon2PasswordHasher",
        "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
        "django.contrib.auth.hashers.BCryptPasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    with control("an imported account"):
        kept = User.objects.get(id=acme.owner.id).password
        User.objects.filter(id=acme.owner.id).update(password=make_password(PASSWORD, hasher=algorithm))

    response = Client(HTTP_HOST=acme.host).post("/sign-in/", {"login": acme.owner.email, "password": PASSWORD})

    with control("look"):
        stored = User.objects.get(id=acme.owner.id).password
        User.objects.filter(id=acme.owner.id).update(password=kept)
    assert response.status_code == 302
    assert stored.startswith("argon2$argon2id$")


# -- the hand-off code -------------------------------------------------------------------------------------------


def redeem(host: str, code: str) -> bool:
    client = Client(HTTP_HOST=host)
    client.get("/sign-in/handoff/", {"code": code})
    return client.get("/").status_code == 200


def test_handoff_code__used_twice__works_once(acme):
    code = issue_handoff_code(tenant_id=acme.tenant.id, person=acme.owner)

    assert [redeem(acme.host, code), redeem(acme.host, code)] == [True, False]


def test_handoff_code__on_another_host__is_worth_nothing(home, foreign):
    code = issue_handoff_code(tenant_id=home.tenant.id, person=home.owner)

    assert not redeem(foreign.host, code)
    assert redeem(home.host, code), "a foreign attempt does not spend it"


def test_handoff_code__older_than_a_minute__is_worth_nothing(acme):
    code = issue_handoff_code(tenant_id=acme.tenant.id, person=acme.owner)
    with control("let time pass"):
        row = HandoffCode.objects.get()
        assert row.expires_at <= timezone.now() + timedelta(seconds=60)
    outlive(acme, ready_seconds_ago=61 + settings.CLOCK_LEEWAY_SECONDS)

    assert not redeem(acme.host, code)


def test_handoff_code__that_a_slow_placement_outlived__works_for_a_minute(acme):
    code = issue_handoff_code(tenant_id=acme.tenant.id, person=acme.owner)
    outlive(acme, ready_seconds_ago=30)
    handoff.clear_expired_codes()

    assert redeem(acme.host, code)


def test_handoff_code__while_the_placement_is_not_there__is_kept(acme):
    issue_handoff_code(tenant_id=acme.tenant.id, person=acme.owner)
    with control("let time pass"):
        HandoffCode.objects.update(expires_at=timezone.now())
        Tenant.objects.filter(id=acme.tenant.id).update(status=Tenant.Status.PROVISIONING, ready_at=None)

    handoff.clear_expired_codes()

    with control("look"):
        assert HandoffCode.objects.count() == 1


def test_handoff_code__that_is_over__is_cleared(acme):
    issue_handoff_code(tenant_id=acme.tenant.id, person=acme.owner)
    outlive(acme, ready_seconds_ago=61 + settings.CLOCK_LEEWAY_SECONDS)

    handoff.clear_expired_codes()

    with control("look"):
        assert not HandoffCode.objects.exists()


def outlive(organization: Organization, *, ready_seconds_ago: int) -> None:
    """The codes that there are have expired, and the organization is ready for so long."""
    with control("let time pass"):
        HandoffCode.objects.update(expires_at=clocks.over())
        ready_at = timezone.now() - timedelta(seconds=ready_seconds_ago)
        Tenant.objects.filter(id=organization.tenant.id).update(ready_at=ready_at)


def test_handoff_code__of_somebody_who_is_no_member__is_worth_nothing(home, foreign):
    code = issue_handoff_code(tenant_id=home.tenant.id, person=foreign.owner)

    assert not redeem(home.host, code)


def test_handoff_code__stored__is_a_hash(acme):
    code = issue_handoff_code(tenant_id=acme.tenant.id, person=acme.owner)

    with control("look"):
        assert code not in str(HandoffCode.objects.values())


def test_handoff_code__in_a_request__does_not_reach_the_log(acme, caplog):
    code = issue_handoff_code(tenant_id=acme.tenant.id, person=acme.owner)

    with caplog.at_level("INFO"):
        redeem(acme.host, code)
        redeem("nobody.localhost", code)

    assert "/sign-in/handoff/" in caplog.text
    assert code not in caplog.text
