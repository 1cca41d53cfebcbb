"""Tokens and keys of API clients: how they are got, what they say, where they work, and when they stop working."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings as configuration
from django.utils import timezone

from apps.accounts.keyset import keyset
from apps.accounts.models import ApiKey, Membership, SigningKey, User
from apps.accounts.permissions import GRANTS, Role
from apps.accounts.roles import Assigned
from apps.accounts.services import members, people, roles
from apps.accounts.services.signing_keys import replace_signing_keys, rotate_signing_keys
from apps.audit.actors import SYSTEM
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from apps.tenants.services import lifecycle, schema_store
from tests import servers
from tests.clients import APEX, ME, Crowd, Program, issue, membership_of, program_of
from tests.factories import PASSWORD, Organization, add_person, add_project

LOGIN, REFRESH, LOGOUT, VALIDATE = "auth/login", "auth/refresh", "auth/logout", "auth/validate"
JWKS = "/.well-known/jwks.json"


def credentials(user: User, password: str = PASSWORD, **more: str) -> dict[str, str]:
    return {"email": user.email, "password": password, **more}


def works(organization: Organization, access: str) -> bool:
    status = Program(organization.host, access).get(ME).status_code
    assert status in (200, 401)
    return bool(status == 200)


def join(organization: Organization, user: User) -> None:
    with control("join"), atomic():
        members.add_member(tenant_id=organization.tenant.id, user=user)


# -- getting them ------------------------------------------------------------------------------------------------


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


def test_refresh__by_eight_at_once__has_one_winner_whose_family_dies(acme):
    with Crowd(8) as crowd:
        for _ in range(50):
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


# -- what they say -----------------------------------------------------------------------------------------------


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


# -- where they work ---------------------------------------------------------------------------------------------


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


# -- forged ones -------------------------------------------------------------------------------------------------

ATTACKER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CLAIMS = (
    "exp",
    "iat",
    "nbf",
    "iss",
    "aud",
    "sub",
    "jti",
    "tid",
    "mid",
    "sid",
    "ver",
    "token_type",
    "role",
    "permissions",
)


class Forge:
    """Makes tokens out of a good one."""

    def __init__(self, organization: Organization, other: Organization) -> None:
        self.pair, self.other = issue(organization), other
        self.claims = jwt.decode(self.pair.access, options={"verify_signature": False})
        self.key = keyset.signing()

    def signed(self, key: Any = None, alg: str = "RS256", without: str = "", kid: Any = "", **claims: Any) -> str:
        payload = {k: v for k, v in {**self.claims, **claims}.items() if k != without}
        return jwt.encode(payload, key or self.key.private, alg, headers={"kid": kid or self.key.id})

    def by_hand(self, header: dict[str, Any], signature: str) -> str:
        parts = (json.dumps(part).encode() for part in ({"typ": "JWT", "kid": self.key.id, **header}, self.claims))
        return ".".join([*(urlsafe_b64encode(part).decode().rstrip("=") for part in parts), signature])

    def with_public_key_as_secret(self) -> str:
        public = serialization.PublicFormat.SubjectPublicKeyInfo
        pem = self.key.public.public_bytes(serialization.Encoding.PEM, public)
        unsigned = self.by_hand({"alg": "HS256"}, "")[:-1]
        hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
        signature = urlsafe_b64encode(hmac.sign(unsigned.encode(), pem)).decode().rstrip("=")
        return f"{unsigned}.{signature}"

    def without_kid(self) -> str:
        return jwt.encode(self.claims, self.key.private, "RS256")

    @property
    def signature(self) -> str:
        return self.pair.access.rpartition(".")[2]


FORGED: dict[str, Callable[[Forge], str]] = {
    "alg none": lambda f: jwt.encode(f.claims, None, "none", headers={"kid": f.key.id}),
    "alg none with a signature": lambda f: f.by_hand({"alg": "none"}, f.signature),
    "alg None in capitals": lambda f: f.by_hand({"alg": "NONE"}, ""),
    "no alg": lambda f: f.by_hand({}, f.signature),
    "HS256 with the public key": lambda f: f.with_public_key_as_secret(),
    "RS512 with the right key": lambda f: f.signed(alg="RS512"),
    "RS384 with the right key": lambda f: f.signed(alg="RS384"),
    "PS256 with the right key": lambda f: f.signed(alg="PS256"),
    "another key": lambda f: f.signed(ATTACKER),
    "another key that it brings along": lambda f: jwt.encode(
        f.claims,
        ATTACKER,
        "RS256",
        headers={"kid": f.key.id, "jwk": json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(ATTACKER.public_key()))},
    ),
    "tid of another, another key": lambda f: f.signed(ATTACKER, tid=str(f.other.tenant.id)),
    "wrong aud": lambda f: f.signed(aud="another-api"),
    "aud in a list": lambda f: f.signed(aud=[f.claims["aud"], "another-api"]),
    "wrong iss": lambda f: f.signed(iss="https://evil.example"),
    "unknown kid": lambda f: f.signed(kid=str(uuid4())),
    "kid like a path": lambda f: f.signed(kid="../../../../dev/null"),
    "kid like SQL": lambda f: f.signed(kid="' OR 1=1 --"),
    "kid with NUL": lambda f: f.signed(kid="\x00"),
    "kid in capitals": lambda f: f.signed(kid=f.key.id.upper()),
    "kid is a number": lambda f: f.by_hand({"alg": "RS256", "kid": 1}, f.signature),
    "kid is a list": lambda f: f.by_hand({"alg": "RS256", "kid": [f.key.id]}, f.signature),
    "no kid": lambda f: f.without_kid(),
    "expired": lambda f: f.signed(exp=int(time.time()) - 1),
    "exp is text": lambda f: f.signed(exp="tomorrow"),
    "nbf in the future": lambda f: f.signed(nbf=int(time.time()) + 60),
    "iat in the future": lambda f: f.signed(iat=int(time.time()) + 60),
    "sub is no id": lambda f: f.signed(sub="admin"),
    "tid is no id": lambda f: f.signed(tid="admin"),
    "tid of nobody": lambda f: f.signed(tid=str(uuid4())),
    "mid of nobody": lambda f: f.signed(mid=str(uuid4())),
    "mid is no id": lambda f: f.signed(mid="x"),
    "sid of nobody": lambda f: f.signed(sid=str(uuid4())),
    "ver is text": lambda f: f.signed(ver="one"),
    "ver of long ago": lambda f: f.signed(ver=0),
    "critical extension": lambda f: jwt.encode(
        f.claims, f.key.private, "RS256", headers={"kid": f.key.id, "crit": ["x"], "x": 1}
    ),
    "refresh used as access": lambda f: f.pair.refresh,
    "other token_type": lambda f: f.signed(token_type="sliding"),
    "garbage": lambda f: "garbage",
    "two dots": lambda f: "..",
    "one dot": lambda f: "a.b",
    "five parts": lambda f: "a.b.c.d.e",
    "no signature": lambda f: f.pair.access.rpartition(".")[0] + ".",
    "payload of another": lambda f: ".".join([f.signed(sub=str(uuid4())).rpartition(".")[0], f.signature]),
    "non-ASCII": lambda f: "tökén.ü.ß",
    "10 kB": lambda f: "a" * 10_240,
    "10 kB in parts": lambda f: f"{'a' * 5000}.{'b' * 5000}.{'c' * 240}",
    "10 kB of claims": lambda f: f.signed(padding="x" * 10_240),
    "with a space": lambda f: f.pair.access + " x",
    **{f"no {claim}": lambda f, claim=claim: f.signed(without=claim) for claim in CLAIMS},
}


@pytest.mark.parametrize("how", FORGED)
def test_token__that_is_forged__is_refused(platform, database, how):
    acme, other = platform["schema"]
    token = FORGED[how](Forge(acme, other))

    for host in (acme.host, APEX):
        answer = Program(host, token).get(ME)
        assert (answer.status_code, answer.json()["code"]) == (401, "token_refused")
        assert answer["Content-Type"] == "application/problem+json"
        assert answer["WWW-Authenticate"] == "Bearer"


def test_token__that_the_forge_signs_unchanged__works(acme):
    forge = Forge(acme, acme)

    assert works(acme, forge.signed())  # so the refusals above are for what was changed


REFRESHED: dict[str, Callable[[Forge], str]] = {
    "access used as refresh": lambda f: f.pair.access,
    "garbage": lambda f: "garbage",
    "two dots": lambda f: "..",
    "non-ASCII": lambda f: "tökén.ü.ß",
    "another key": lambda f: f.signed(ATTACKER, token_type="refresh"),
    "unknown jti": lambda f: f.signed(token_type="refresh", jti=str(uuid4())),
    "jti that is no id": lambda f: f.signed(token_type="refresh", jti="x"),
    "sid that is no id": lambda f: f.signed(token_type="refresh", sid="x"),
    "jti of an access token": lambda f: f.signed(token_type="refresh"),
}


@pytest.mark.parametrize("how", REFRESHED)
def test_refresh_token__that_is_forged__is_refused(platform, database, how):
    acme, other = platform["schema"]
    forge = Forge(acme, other)

    answer = Program(acme.host).post(REFRESH, {"refresh": REFRESHED[how](forge)})

    assert (answer.status_code, answer.json()["code"]) == (401, "token_refused")
    assert works(acme, forge.pair.access)


@pytest.mark.parametrize("scheme", ["Basic", "Token", "JWT", "", "Bearer:", "BearerX"])
def test_token__under_another_scheme__is_refused(acme, scheme):
    client = Program(acme.host, Authorization=f"{scheme} {issue(acme).access}".strip())

    assert client.get(ME).status_code == 401


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_token__with_the_scheme_in_another_case__works(acme, scheme):
    assert Program(acme.host, Authorization=f"{scheme} {issue(acme).access}").get(ME).status_code == 200


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "x", "Basic dXNlcjpwYXNz"])
def test_header__without_a_token__is_refused(acme, header):
    assert Program(acme.host, Authorization=header).get(ME).status_code == 401


# -- when they stop working --------------------------------------------------------------------------------------

BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def spellings(token: str) -> list[str]:
    """A token as other texts that decode to the same bytes."""
    tail = BASE64.index(token[-1])
    return [token, f"{token}=", f"{token}==", *(token[:-1] + BASE64[tail & ~3 | bits] for bits in range(4))]


def test_logout__of_a_token__voids_it_in_every_spelling_on_the_next_request(home):
    pair, other = issue(home), issue(home)
    assert works(home, pair.access)

    assert Program(home.host, pair.access).post(LOGOUT).status_code == 204

    assert not any(works(home, spelling) for spelling in spellings(pair.access))
    assert Program(home.host).post(REFRESH, {"refresh": pair.refresh}).status_code == 401
    assert works(home, other.access)


def test_logout__of_a_token_that_was_never_used__voids_it(acme):
    pair = issue(acme)

    assert Program(APEX, pair.access).post(LOGOUT).status_code == 204

    assert not works(acme, pair.access)


def test_logout_everywhere__ends_all_tokens_and_sessions_here_only(home, foreign, sign_in):
    person = add_person(home)
    join(foreign, person)
    pairs, browser, there = [issue(home, person) for _ in range(2)], sign_in(home, person), issue(foreign, person)
    bystander = issue(home)

    assert Program(home.host, pairs[0].access).post("auth/logout-everywhere").status_code == 204

    assert not any(works(home, pair.access) for pair in pairs)
    assert browser.get(ME).status_code == 401
    assert works(home, bystander.access)
    assert works(foreign, there.access)


def change_role(organization: Organization, person: User, role: str) -> None:
    found = membership_of(organization, person)
    members.change_role(actor=organization.subject, member_id=found.id, role=Assigned(role))


def remove(organization: Organization, person: User) -> None:
    members.remove_member(actor=organization.subject, member_id=membership_of(organization, person).id)


def leave(organization: Organization, person: User) -> None:
    assert program_of(organization, person).post("members/leave").status_code == 204


def change_password(organization: Organization, person: User) -> None:
    with organization.inside():
        people.change_password(user=person, old=PASSWORD, new="another long password", actor=organization.subject)


def set_password(organization: Organization, person: User) -> None:
    with organization.inside():
        token = people.make_password_token(person)
        people.set_password(user_id=person.id, token=token, password="another long password")


def revoke_session(organization: Organization, person: User) -> None:
    client = program_of(organization, person)
    for session in client.get("sessions").json()["results"]:
        if not session["is_current"]:
            assert client.call("delete", f"sessions/{session['id']}").status_code == 204


ENDS = [change_role, remove, leave, change_password, set_password, revoke_session]


@pytest.mark.parametrize("known", [True, False], ids=["used before", "never used"])
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_token__whose_ground_is_gone__is_void_on_the_next_request(home, end, known):
    person, bystander = add_person(home), issue(home)
    pair = issue(home, person)
    if known:
        assert works(home, pair.access)

    end(home, person, *([Role.VIEWER] if end is change_role else []))

    assert not works(home, pair.access)
    assert works(home, bystander.access)


def test_token__of_a_custom_role__is_void_once_the_role_is_edited(home):
    person = add_person(home)
    role = roles.create_role(actor=home.subject, name="Auditor", permissions=["projects:read"])
    member_id = membership_of(home, person).id
    members.change_role(actor=home.subject, member_id=member_id, role=Assigned(Role.CUSTOM, role))
    pair = issue(home, person)
    assert works(home, pair.access)

    roles.update_role(actor=home.subject, role_id=role.id, name="Auditor", permissions=["audit:view"])

    assert not works(home, pair.access)
    claims = jwt.decode(issue(home, person).access, options={"verify_signature": False})
    assert claims["permissions"] == ["audit:view"]


def test_token__of_a_person_who_is_deactivated__is_void_once_it_is_looked_up(acme):
    person = add_person(acme)
    pair = issue(acme, person)
    with control("deactivate"):
        User.objects.filter(id=person.id).update(is_active=False)

    assert not works(acme, pair.access)
    assert Program(acme.host).post(REFRESH, {"refresh": pair.refresh}).status_code == 401

    with control("activate"):
        User.objects.filter(id=person.id).update(is_active=True)
    assert works(acme, issue(acme, person).access)


def test_token__of_a_member_who_came_back__works_and_the_old_one_does_not(home):
    person = add_person(home)
    before = issue(home, person)
    assert works(home, before.access)
    remove(home, person)
    assert not works(home, before.access)

    join(home, person)

    assert works(home, issue(home, person).access)
    assert not works(home, before.access)


# -- signing keys ------------------------------------------------------------------------------------------------


@pytest.fixture
def signing_keys(acme) -> Iterator[None]:
    """The keys that are there, restored after the test."""
    issue(acme)
    with control("read the keys"):
        kept = list(SigningKey.objects.values_list("id", flat=True))
    yield
    with control("restore the keys"):
        SigningKey.objects.exclude(id__in=kept).delete()
        SigningKey.objects.update(retires_at=None)
    keyset.forget()


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def test_rotation__of_the_signing_key__signs_nobody_out_and_signs_anew_after_the_notice(acme, signing_keys):
    before = issue(acme)
    new = rotate_signing_keys(actor=SYSTEM)
    keyset.forget()

    during = issue(acme)
    published = {key["kid"] for key in Program(APEX).get(JWKS).json()["keys"]}
    with control("let the notice pass"):
        SigningKey.objects.filter(id=new.id).update(signs_from=timezone.now() - timedelta(seconds=1))
    keyset.forget()
    after = issue(acme)

    assert published >= {kid_of(before.access), str(new.id)}
    assert kid_of(during.access) == kid_of(before.access) != str(new.id)
    assert kid_of(after.access) == str(new.id)
    assert all(works(acme, pair.access) for pair in (before, during, after))
    assert Program(acme.host).post(REFRESH, {"refresh": before.refresh}).status_code == 200


def test_rotation__of_the_signing_key__retires_the_old_one_when_its_last_token_is_over(acme, signing_keys):
    replace_signing_keys(actor=SYSTEM)  # one that no rotation before has told when to retire
    keyset.forget()
    before = issue(acme)
    rotate_signing_keys(actor=SYSTEM)
    old = SigningKey.objects.filter(id=kid_of(before.access))
    with control("let time pass"):
        longest = timedelta(seconds=configuration.REFRESH_TOKEN_SECONDS + configuration.SIGNING_KEY_NOTICE_SECONDS)
        assert old.get().retires_at - timezone.now() > longest - timedelta(minutes=1)
        old.update(retires_at=timezone.now())
        SigningKey.objects.filter(retires_at=None).update(signs_from=timezone.now())
    keyset.forget()

    assert not works(acme, before.access)
    assert kid_of(before.access) not in {key["kid"] for key in Program(APEX).get(JWKS).json()["keys"]}


def test_replacement__of_the_signing_keys__voids_what_they_signed(acme, signing_keys):
    before = issue(acme)
    new = replace_signing_keys(actor=SYSTEM)
    keyset.forget()

    assert not works(acme, before.access)
    assert Program(acme.host).post(REFRESH, {"refresh": before.refresh}).status_code == 401
    after = issue(acme)
    assert kid_of(after.access) == str(new.id)
    assert works(acme, after.access)
    assert [key["kid"] for key in Program(APEX).get(JWKS).json()["keys"]] == [str(new.id)]


def test_rotation__before_there_is_any_key__leaves_one_that_signs(acme, signing_keys):
    with control("retire all keys"):
        SigningKey.objects.update(retires_at=timezone.now())

    new = rotate_signing_keys(actor=SYSTEM)
    keyset.forget()

    assert kid_of(issue(acme).access) == str(new.id)


def test_token__that_needs_the_very_first_key__is_signed_by_it(acme, signing_keys):
    with control("retire all keys"):
        SigningKey.objects.update(retires_at=timezone.now())
    keyset.forget()

    assert works(acme, issue(acme).access)


# -- API keys ----------------------------------------------------------------------------------------------------


def make_key(organization: Organization, *scopes: str, **more: Any) -> dict[str, Any]:
    body = {"name": "robot", "scopes": list(scopes) or ["projects:read"], **more}
    answer = program_of(organization).post("api-keys", body)
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def test_api_key__in_use__does_what_its_scopes_say_and_nothing_else(home):
    add_project(home, "Plan")
    robot = Program(home.host, make_key(home)["key"])

    assert [p["name"] for p in robot.get("projects").json()["results"]] == ["Plan"]
    for method, path, body in [
        ("post", "projects", {"name": "New"}),
        ("get", "audit/events", None),
        ("get", "api-keys", None),
        ("get", "users/org", None),
        ("post", "invitations", {"email": "a@example.com", "role": "viewer"}),
        ("get", ME, None),
    ]:
        assert robot.call(method, path, body).status_code == 403, path
    with home.inside():
        assert robot.post(VALIDATE).json()["permissions"] == ["projects:list", "projects:read"]


def test_api_key__on_the_apex_or_a_foreign_host__stays_in_its_organization(home, foreign):
    key = make_key(home)["key"]
    add_project(home, "Ours")

    assert [p["name"] for p in Program(APEX, key).get("projects").json()["results"]] == ["Ours"]
    answer = Program(foreign.host, key).get("projects")
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_token")


def test_api_key__once_made__shows_its_secret_no_more_and_is_stored_as_a_hash(home):
    made = make_key(home)

    listed = program_of(home).get("api-keys")

    assert made["key"].encode() not in listed.content
    assert listed.json()["results"][0].keys().isdisjoint({"key", "secret_hash"})
    secret = made["key"].removeprefix(made["prefix"])
    with servers.as_operator() as connection:
        tables = ["accounts_apikey", "audit_controlevent", "accounts_idempotentcall"]
        for table in tables:
            rows = connection.execute(f"SELECT t::text FROM {table} t").fetchall()
            assert not [row for (row,) in rows if secret in row], table


def test_api_key__past_its_time__is_refused(acme):
    made = make_key(acme, expires_at=(timezone.now() + timedelta(hours=1)).isoformat())
    assert Program(acme.host, made["key"]).get("projects").status_code == 200

    with control("let time pass"):
        ApiKey.objects.filter(id=made["id"]).update(expires_at=timezone.now())

    assert Program(acme.host, made["key"]).get("projects").status_code == 401


def test_api_key__revoked__is_refused_on_the_next_request(home):
    made, other = make_key(home), make_key(home)

    assert program_of(home).call("delete", f"api-keys/{made['id']}").status_code == 204

    assert Program(home.host, made["key"]).get("projects").status_code == 401
    assert Program(home.host, other["key"]).get("projects").status_code == 200
    assert program_of(home).call("delete", f"api-keys/{made['id']}").status_code == 404


def test_api_key__in_use__notes_it_to_the_minute(acme):
    made = make_key(acme)
    assert made["last_used_at"] is None

    Program(acme.host, made["key"]).get("projects")
    with control("read"):
        first = ApiKey.objects.get(id=made["id"]).last_used_at
    Program(acme.host, made["key"]).get("projects")
    with control("read"):
        second = ApiKey.objects.get(id=made["id"]).last_used_at

    assert timezone.now() - first < timedelta(seconds=10)
    assert first == second


@pytest.mark.parametrize(
    "change", [lambda k: k[:-1], lambda k: k + "x", lambda k: k.upper(), lambda k: k[:17] + "y" * 43, lambda k: k[:16]]
)
def test_api_key__misspelled__is_refused(acme, change):
    made = make_key(acme)

    assert Program(acme.host, change(made["key"])).get("projects").status_code == 401


def test_api_key__by_somebody_with_fewer_rights__cannot_exceed_them(acme):
    person = add_person(acme)
    role = roles.create_role(actor=acme.subject, name="Keys", permissions=["keys:manage", "projects:read"])
    member_id = membership_of(acme, person).id
    members.change_role(actor=acme.subject, member_id=member_id, role=Assigned(Role.CUSTOM, role))
    client = program_of(acme, person)

    within = client.post("api-keys", {"name": "a", "scopes": ["projects:read"]})
    beyond = client.post("api-keys", {"name": "b", "scopes": ["projects:read", "projects:write"]})

    assert (within.status_code, beyond.status_code) == (201, 403)
    assert (beyond.json()["code"], beyond.json()["errors"][0]["field"]) == ("beyond_own_rights", "scopes")


def test_api_key__that_makes_keys__cannot_exceed_its_own_scopes(acme):
    robot = Program(acme.host, make_key(acme, "keys:manage", "projects:read")["key"])

    assert robot.post("api-keys", {"name": "a", "scopes": ["projects:read"]}).status_code == 201
    assert robot.post("api-keys", {"name": "b", "scopes": ["audit:view"]}).status_code == 403


@pytest.mark.parametrize(("scope", "status"), [("users:manage", 200), ("settings:manage", 200), ("audit:view", 403)])
def test_api_key__that_may_change_members__may_look_at_them(acme, scope, status):
    robot = Program(acme.host, make_key(acme, scope)["key"])

    assert {robot.get(path).status_code for path in ("members", "roles", "settings")} == {status}


def test_api_key__of_a_program__has_no_profile_and_no_sessions(acme):
    robot = Program(acme.host, make_key(acme, *GRANTS[Role.ADMIN])["key"])

    assert robot.get("users/me").status_code == 403
    assert Membership.__name__ not in robot.get("sessions").content.decode()
    assert robot.post(LOGOUT).status_code in (401, 403)
