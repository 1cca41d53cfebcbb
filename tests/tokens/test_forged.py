"""Tokens that somebody made or changed, none of which works."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from apps.accounts.keyset import keyset
from tests.support.clients import APEX, ME, Program, issue
from tests.support.factories import Organization

from .logins import REFRESH, works

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
    "expired": lambda f: f.signed(exp=int(time.time()) - 60),
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
    "padded": lambda f: f.pair.access + "==",
    "with what decoding passes over": lambda f: f.pair.access.replace(".", ".!", 1),
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
