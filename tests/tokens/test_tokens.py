"""Tokens: how one gets them, what they say and where they work."""

from __future__ import annotations

import time

import jwt
import pytest
from django.conf import settings as configuration

from apps.access.permissions import GRANTS, Role
from apps.accounts.keyset import keyset
from apps.accounts.models import User
from apps.audit.actors import SYSTEM
from apps.tenancy.context import control
from apps.tenants.services import lifecycle, schema_store
from tests.support.clients import APEX, ME, Crowd, Program, issue, program_of
from tests.support.factories import PASSWORD, add_person, add_project

from .logins import JWKS, LOGIN, REFRESH, VALIDATE, change_role, join, works


def credentials(user: User, password: str = PASSWORD, **more: str) -> dict[str, str]:
    return {"email": user.email, "password": password, **more}


# -- getting them -----------------------------------------------------------------------------------------------------


def test_register__on_the_apex__answers_with_tokens_and_the_organization(database):
    schema_store.replenish()

    answer = Program(APEX).post(
        "auth/register", {"organization": "Brand New", "email": "new@example.com", "password": PASSWORD}
    )

    body = answer.json()
    assert answer.status_code == 201
    assert {"access", "refresh", "user", "tenant"} <= body.keys()
    assert body["user"]["email"] == "new@example.com"
    assert body["tenant"].keys() >= {"id", "slug", "url"}
    host = f"{body['tenant']['slug']}.{configuration.BASE_DOMAIN}"
    assert host in body["tenant"]["url"]
    assert Program(host, body["access"]).get(ME).json()["role"] == "owner"


def test_login__on_the_organizations_host__answers_with_tokens_for_it(home):
    answer = Program(home.host).post(LOGIN, credentials(home.owner))

    assert answer.status_code == 200
    assert answer.json()["tenant"]["id"] == str(home.tenant.id)
    assert works(home, answer.json()["access"])


def test_login__on_the_apex_with_one_organization__needs_no_name(acme):
    answer = Program(APEX).post(LOGIN, credentials(add_person(acme)))

    assert (answer.status_code, answer.json()["tenant"]["slug"]) == (200, acme.tenant.slug)


def test_login__on_the_apex_with_several_organizations__asks_for_one(home, foreign):
    person = add_person(home)
    join(foreign, person)

    asked = Program(APEX).post(LOGIN, credentials(person))

    assert (asked.status_code, asked.json()["code"]) == (409, "organization_required")
    assert {o["slug"] for o in asked.json()["organizations"]} == {home.tenant.slug, foreign.tenant.slug}
    for organization in (home, foreign):
        for name in (organization.tenant.slug, str(organization.tenant.id)):
            answer = Program(APEX).post(LOGIN, credentials(person, organization=name))
            assert (answer.status_code, answer.json()["tenant"]["slug"]) == (200, organization.tenant.slug)


def test_login__that_is_wrong__is_refused_alike_whatever_is_wrong(home, foreign):
    person, gone = add_person(home), add_person(home)
    with control("deactivate"):
        User.objects.filter(id=gone.id).update(is_active=False)
    wrong = [
        (home.host, {"email": "nobody@example.com", "password": PASSWORD}),
        (home.host, credentials(person, "not the password at all")),
        (home.host, credentials(gone)),
        (foreign.host, credentials(person)),
        (home.host, credentials(person, organization=foreign.tenant.slug)),
        (APEX, {"email": "nobody@example.com", "password": PASSWORD}),
        (APEX, credentials(person, organization="no-such-organization")),
    ]

    answers = [Program(host).post(LOGIN, body) for host, body in wrong]

    assert {a.status_code for a in answers} == {401}
    bodies = [{k: v for k, v in a.json().items() if k != "request_id"} for a in answers]
    assert all(body == bodies[0] for body in bodies)
    assert bodies[0]["code"] == "credentials_refused"


def test_refresh__of_a_good_token__answers_with_a_new_pair_once(home):
    pair = issue(home)

    fresh = Program(home.host).post(REFRESH, {"refresh": pair.refresh}).json()

    assert works(home, fresh["access"])
    assert fresh["refresh"] != pair.refresh
    assert Program(APEX).post(REFRESH, {"refresh": fresh["refresh"]}).status_code == 200


def test_refresh__on_a_foreign_host__is_refused_and_spends_nothing(home, foreign):
    pair = issue(home)

    assert Program(foreign.host).post(REFRESH, {"refresh": pair.refresh}).status_code == 401
    assert Program(home.host).post(REFRESH, {"refresh": pair.refresh}).status_code == 200


def test_refresh__with_a_spent_token__kills_the_family_and_no_other(home):
    pair, other = issue(home), issue(home)
    fresh = Program(home.host).post(REFRESH, {"refresh": pair.refresh}).json()

    again = Program(home.host).post(REFRESH, {"refresh": pair.refresh})

    assert (again.status_code, again.json()["code"]) == (401, "token_refused")
    assert not works(home, fresh["access"])
    assert not works(home, pair.access)
    assert Program(home.host).post(REFRESH, {"refresh": fresh["refresh"]}).status_code == 401
    assert works(home, other.access)


def test_refresh__after_the_role_changed__carries_the_new_role(acme):
    person = add_person(acme)
    pair = issue(acme, person)
    change_role(acme, person, Role.VIEWER)

    fresh = Program(acme.host).post(REFRESH, {"refresh": pair.refresh}).json()

    assert jwt.decode(fresh["access"], options={"verify_signature": False})["role"] == "viewer"
    assert works(acme, fresh["access"])


@pytest.mark.parametrize("rounds", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_refresh__by_eight_at_once__has_one_winner_whose_family_dies(acme, rounds):
    with Crowd(8) as crowd:
        for _ in range(rounds):
            pair = issue(acme)

            answers = crowd.all(lambda _, token=pair.refresh: Program(acme.host).post(REFRESH, {"refresh": token}))

            assert sorted(a.status_code for a in answers) == [200] + [401] * 7
            winner = next(a.json() for a in answers if a.status_code == 200)
            assert not works(acme, winner["access"])
            assert Program(acme.host).post(REFRESH, {"refresh": winner["refresh"]}).status_code == 401


def test_validate__of_good_credentials__says_what_they_are_good_for(acme):
    person = add_person(acme)

    body = program_of(acme, person).post(VALIDATE).json()

    assert (body["active"], body["type"], body["id"]) == (True, "user", str(person.id))
    assert (body["tenant_id"], body["role"]) == (str(acme.tenant.id), "member")
    assert GRANTS[Role.MEMBER] <= set(body["permissions"])


@pytest.mark.parametrize("token", ["", "garbage"])
def test_validate__of_nothing_good__is_refused(acme, token):
    assert Program(acme.host, token).post(VALIDATE).status_code == 401


# -- what they say ----------------------------------------------------------------------------------------------------


def test_access_token__of_a_member__says_who_where_and_what(acme):
    person, before = add_person(acme), int(time.time())

    access = issue(acme, person).access

    claims, header = jwt.decode(access, options={"verify_signature": False}), jwt.get_unverified_header(access)
    assert (claims["sub"], claims["tid"]) == (str(person.id), str(acme.tenant.id))
    assert (claims["role"], set(claims["permissions"])) == ("member", GRANTS[Role.MEMBER])
    assert (claims["aud"], claims["iss"]) == (configuration.TOKEN_AUDIENCE, configuration.TOKEN_ISSUER)
    assert before <= claims["iat"] <= time.time()
    assert 0 < claims["exp"] - claims["iat"] <= 3600
    assert claims["jti"]
    assert (header["alg"], header["kid"]) == ("RS256", keyset.signing().id)


def test_tokens__issued_one_after_the_other__have_ids_of_their_own(acme):
    pairs = [issue(acme) for _ in range(3)]
    texts = [text for pair in pairs for text in (pair.access, pair.refresh)]

    ids = {jwt.decode(text, options={"verify_signature": False})["jti"] for text in texts}

    assert len(ids) == 6


@pytest.mark.parametrize("where", ["apex", "tenant"])
def test_jwks__on_every_host__verifies_a_token_by_itself(acme, where):
    access = issue(acme).access

    answer = Program(APEX if where == "apex" else acme.host).get(JWKS)

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/jwk-set+json"
    assert answer["Cache-Control"] == "public, max-age=300"
    keys = jwt.PyJWKSet.from_dict(answer.json())
    key = keys[jwt.get_unverified_header(access)["kid"]]
    claims = jwt.decode(access, key.key, algorithms=["RS256"], audience=configuration.TOKEN_AUDIENCE)
    assert claims["tid"] == str(acme.tenant.id)


def test_jwks__of_the_product__holds_nothing_secret(database):
    assert all(set(key) == {"kty", "key_ops", "n", "e", "kid", "alg", "use"} for key in keyset.as_jwks()["keys"])


# -- where they work --------------------------------------------------------------------------------------------------


def test_token__on_its_own_host_and_the_apex__works_in_its_organization(home, foreign):
    add_project(home, "Ours")
    add_project(foreign, "Theirs")
    access = issue(home).access

    for host in (home.host, APEX):
        listed = Program(host, access).get("projects").json()["results"]
        assert [p["name"] for p in listed] == ["Ours"]


def test_token__on_a_foreign_host__is_refused(home, foreign):
    answer = Program(foreign.host, issue(home).access).get(ME)

    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_token")


def test_token__of_an_organization_on_hold__is_refused_everywhere(home):
    access = issue(home).access
    lifecycle.hold(slug=home.tenant.slug, reason="unpaid", actor=SYSTEM)

    for host in (home.host, APEX):
        answer = Program(host, access).get(ME)
        assert (answer.status_code, answer.json()["code"]) == (403, "tenant_held")
    lifecycle.release(slug=home.tenant.slug, actor=SYSTEM)
    assert works(home, access)


def test_token__outside_the_api__is_nobodys(acme):
    assert Program(acme.host, issue(acme).access).get("/").status_code == 302
