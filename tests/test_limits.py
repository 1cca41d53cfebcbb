"""How often somebody may ask: requests per address and person, attempts per network and account."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import pytest
from django.conf import settings as configuration
from django.test import Client, RequestFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.access import limits
from apps.access.errors import TooManyAttempts
from apps.access.limits import LocalBuckets, Policy, Usage
from apps.access.services import attempts
from apps.core import memory
from apps.core.network import client_ip, network_of
from apps.core.text import folded
from tests.support.clients import APEX, API, ME, Crowd, Program, issue, program_of
from tests.support.factories import PASSWORD, add_person
from tests.support.limits import allow

# -- requests ----------------------------------------------------------------------------------------------------


def ask(host: str, address: str = "192.0.2.1", path: str = f"{API}/permissions", **headers: str) -> Any:
    return Client(HTTP_HOST=host, REMOTE_ADDR=address, raise_request_exception=False).get(path, headers=headers)


def test_anonymous__over_the_limit_of_an_address__is_told_when_to_come_back(acme, settings):
    settings.REQUESTS_PER_MINUTE_ADDRESS = 3

    answers = [ask(acme.host) for _ in range(4)]

    assert [a.status_code for a in answers] == [401, 401, 401, 429]
    assert [a["RateLimit"].split(";")[1] for a in answers] == ["r=2", "r=1", "r=0", "r=0"]
    assert {a["RateLimit-Policy"] for a in answers} == {'"address";q=3;w=60'}
    last = answers[-1]
    assert (last["Content-Type"], last.json()["code"]) == ("application/problem+json", "too_many_requests")
    assert 55 <= int(last["Retry-After"]) <= 60
    assert last["RateLimit"] == f'"address";r=0;t={last["Retry-After"]}'
    assert "Retry-After" not in answers[0]


@pytest.mark.parametrize("path", ["/sign-in/", "/", f"{API}/nothing", "/.well-known/jwks.json", f"{API}/schema/"])
def test_limit__of_an_address__holds_for_every_page_and_host(acme, settings, path):
    settings.REQUESTS_PER_MINUTE_ADDRESS = 1
    assert ask(APEX).status_code != 429

    assert ask(acme.host, path=path).status_code == 429
    assert ask(acme.host, "192.0.2.2", path=path).status_code != 429


def test_limit__of_a_person__holds_for_all_their_tokens_at_every_address(acme, settings):
    settings.REQUESTS_PER_MINUTE_USER = 2
    person = add_person(acme)
    tokens = [issue(acme, person).access for _ in range(3)]

    answers = [ask(acme.host, f"192.0.2.{n}", ME, Authorization=f"Bearer {token}") for n, token in enumerate(tokens)]

    assert [a.status_code for a in answers] == [200, 200, 429]
    assert answers[0]["RateLimit-Policy"] == '"user";q=2;w=60'
    assert 1 <= int(answers[2]["Retry-After"]) <= 60


def test_limit__of_one_person__is_nobody_elses(platform, database, settings):
    home, foreign = platform["pool"]
    settings.REQUESTS_PER_MINUTE_USER = settings.REQUESTS_PER_MINUTE_ADDRESS = 1
    first = program_of(home)
    assert [first.get(ME).status_code for _ in range(2)] == [200, 429]

    for organization, person in [(home, add_person(home)), (foreign, foreign.owner)]:
        assert program_of(organization, person).get(ME).status_code == 200
    assert ask(home.host, "127.0.0.1").status_code == 401


def test_limit__of_a_browser__is_its_persons(acme, sign_in, settings):
    browser = sign_in(acme)
    settings.REQUESTS_PER_MINUTE_USER = 2

    answers = [browser.get("/") for _ in range(3)]

    assert [a.status_code for a in answers] == [200, 200, 429]
    assert "Retry-After" in answers[2]


def test_limit__of_an_api_key__is_its_own(acme, settings):
    keys = [
        program_of(acme).post("api-keys", {"name": "r", "scopes": ["projects:read"]}).json()["key"] for _ in range(2)
    ]
    settings.REQUESTS_PER_MINUTE_USER = 1

    statuses = [Program(acme.host, key).get("projects").status_code for key in (keys[0], keys[0], keys[1])]

    assert statuses == [200, 429, 200]


@pytest.mark.parametrize("token", ["garbage", "tnk_000000000000_x"])
def test_refused_token__of_any_kind__counts_against_the_address(acme, settings, token):
    settings.REQUESTS_PER_MINUTE_ADDRESS = 2

    statuses = [ask(acme.host, path=ME, Authorization=f"Bearer {token}").status_code for _ in range(3)]

    assert statuses == [401, 401, 429]


def test_health__of_the_site__is_not_counted(database, settings):
    settings.REQUESTS_PER_MINUTE_ADDRESS = 1

    assert {ask(APEX, path="/ready").status_code for _ in range(3)} == {200}


# -- addresses ---------------------------------------------------------------------------------------------------

NETWORKS = [
    ("192.0.2.1", "192.0.2.1", True),
    ("192.0.2.1", "192.0.2.2", False),
    ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
    ("2001:db8::1", "2001:DB8:0:0:1::", True),
    ("2001:db8::1", "2001:db8:0:1::1", False),
    ("::ffff:192.0.2.1", "192.0.2.1", True),
    ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
    ("fe80::1%eth0", "fe80::2%eth1", True),
    ("", "not an address", True),
]


@pytest.mark.parametrize(("one", "other", "same"), NETWORKS)
def test_limit__of_a_network__is_shared_inside_it_only(acme, settings, one, other, same):
    settings.REQUESTS_PER_MINUTE_ADDRESS = 1

    assert ask(acme.host, one).status_code == 401
    assert ask(acme.host, other).status_code == (429 if same else 401)


HOPS = [
    (0, "203.0.113.9", "192.0.2.1"),
    (0, "", "192.0.2.1"),
    (1, "", "192.0.2.1"),
    (1, "203.0.113.9", "203.0.113.9"),
    (1, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
    (1, " 198.51.100.1 ,, 203.0.113.9 ", "203.0.113.9"),
    (2, "198.51.100.1, 203.0.113.9", "198.51.100.1"),
    (2, "evil, 198.51.100.1, 203.0.113.9", "198.51.100.1"),
    (2, "203.0.113.9", "203.0.113.9"),
    (1, "evil", None),
    (1, "2001:db8::1", "2001:db8::1"),
    (9, "198.51.100.1, 203.0.113.9", "198.51.100.1"),
]


@pytest.mark.parametrize(("trusted", "forwarded", "address"), HOPS)
def test_client_ip__behind_proxies__is_what_the_outermost_of_ours_saw(settings, trusted, forwarded, address):
    settings.TRUSTED_PROXIES = trusted
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}

    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR="192.0.2.1")

    assert client_ip(request) == address


@pytest.mark.parametrize(("trusted", "statuses"), [(0, [401, 429, 429]), (1, [401, 401, 401])])
def test_limit__of_an_address__cannot_be_escaped_by_a_claimed_one(acme, settings, trusted, statuses):
    settings.REQUESTS_PER_MINUTE_ADDRESS, settings.TRUSTED_PROXIES = 1, trusted

    answers = [ask(acme.host, **{"X-Forwarded-For": f"198.51.100.{n}"}) for n in range(3)]

    assert [a.status_code for a in answers] == statuses


def test_network__of_nobody__is_one():
    assert network_of(None) == "unknown"


# -- the window --------------------------------------------------------------------------------------------------

EIGHTH = 125_000  # in microseconds; times of whole eighths are exact in floats, too
TIMED = memory.Script(limits.COUNT.source.replace("redis.call('TIME')", "{ARGV[4], ARGV[5]}"))
visits = st.lists(st.tuples(st.integers(0, 12), st.sampled_from("ab")), max_size=60)


@dataclass
class Model:
    """At most ``quota`` in any ``seconds``, told by its definition."""

    quota: int
    seconds: int
    admitted: list[tuple[int, str]] = field(default_factory=list)

    def count(self, now: int, who: str) -> tuple[bool, int, int]:
        """Whether to admit, how many more, and in how many seconds the oldest is forgotten."""
        window = [t for t, name in self.admitted if name == who and t > now - self.seconds * 1_000_000]
        admitted = len(window) < self.quota
        if admitted:
            self.admitted.append((now, who))
            window.append(now)
        return admitted, self.quota - len(window), math.ceil((window[0] - now) / 1_000_000 + self.seconds)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(quota=st.integers(1, 6), seconds=st.integers(1, 3), visits=visits)
def test_window__of_the_store__is_exact(database, quota, seconds, visits):
    model, run, now = Model(quota, seconds), secrets.token_hex(4), 1_700_000_000_000_000

    for gap, who in visits:
        now += gap * EIGHTH
        args = [quota, seconds, secrets.token_hex(8), now // 1_000_000, now % 1_000_000]
        keys = [f"tenantry:limit:test:{run}:{who}"]
        admitted, remaining, reset = memory.run(TIMED, keys, args)
        assert (bool(admitted), remaining, reset) == model.count(now, who)


@settings(max_examples=200, deadline=None)
@given(quota=st.integers(1, 6), seconds=st.integers(1, 3), visits=visits)
def test_window__of_local_buckets__is_exact(quota, seconds, visits):
    model, now = Model(quota, seconds), 0
    buckets, policy = LocalBuckets(clock=lambda: now / 1_000_000), Policy("test", quota, seconds)

    for gap, who in visits:
        now += gap * EIGHTH
        answer = buckets.count(policy, who)
        assert (answer.admitted, answer.remaining, answer.reset_seconds) == model.count(now, who)


def test_window__by_the_stores_own_clock__admits_no_more_and_no_fewer(database):
    policy, admitted = Policy("test", 5, 1), []

    for _ in range(120):
        before = time.time()
        answer = limits.count(policy, "x")
        after = time.time()
        if answer.admitted:
            assert len(admitted) < 5 or after - admitted[-5][0] >= 1
            admitted.append((before, after))
        else:
            assert before - admitted[-5][1] < 1  # the window was full
        time.sleep(0.02)

    assert len(admitted) >= 10


def test_window__under_many_at_once__admits_just_the_quota(database):
    policy = Policy("test", 50, 60)

    with Crowd(8) as crowd:
        found = crowd.all(lambda _: [limits.count(policy, "x") for _ in range(20)])
    answers: list[Usage] = list(chain.from_iterable(found))

    assert sum(answer.admitted for answer in answers) == 50
    assert sorted(a.remaining for a in answers if a.admitted) == list(range(50))


def test_window__that_is_over__leaves_nothing_in_the_store(database):
    limits.count(Policy("test", 5, 1), "x")
    assert 0 < memory.client().pttl("tenantry:limit:test:x") <= 1000

    time.sleep(1.05)

    assert not memory.client().exists("tenantry:limit:test:x")


def test_local_buckets__of_very_many__keep_the_latest_only(monkeypatch):
    monkeypatch.setattr(limits, "BUCKETS_KEPT", 10)
    buckets, policy = LocalBuckets(), Policy("test", 1, 60)

    for number in range(50):
        assert buckets.count(policy, str(number)).admitted

    assert len(buckets._buckets) == 10
    assert not buckets.count(policy, "49").admitted


# -- attempts ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attempt:
    """A way to try something for an account, given by a number."""

    action: str
    path: str
    body: Callable[[int], dict[str, str]]
    on_apex: bool = False
    is_page: bool = False

    def make(self, acme: Any, number: int, address: str = "192.0.2.1") -> Any:
        client = Client(HTTP_HOST=APEX if self.on_apex else acme.host, REMOTE_ADDR=address)
        kind = {} if self.is_page else {"content_type": "application/json"}
        return client.post(self.path, self.body(number), **kind)


def mail(number: int) -> dict[str, str]:
    return {"email": f"x{number}@example.com"}


def sign_in_form(number: int) -> dict[str, str]:
    return {"login": f"x{number}@example.com", "password": "not the password"}


def creating(number: int) -> dict[str, str]:
    return {"organization": "New", **mail(number), "password": "short"}


ATTEMPTS = [
    Attempt("sign-in", f"{API}/auth/login", lambda n: {**mail(n), "password": "not the password"}),
    Attempt("sign-in", f"{API}/auth/login", lambda n: {**mail(n), "password": "not the password"}, on_apex=True),
    Attempt("sign-in", "/sign-in/", sign_in_form, is_page=True),
    Attempt("reset", f"{API}/auth/password-reset", mail),
    Attempt("reset", f"{API}/auth/password-reset", mail, on_apex=True),
    Attempt("lookup", f"{API}/auth/find-organizations", mail),
    Attempt("lookup", f"{API}/auth/find-organizations", mail, on_apex=True),
    Attempt("sign-up", f"{API}/auth/register", creating, on_apex=True),
    Attempt("acceptance", f"{API}/invitations/accept", lambda n: {"token": f"t{n}", "password": PASSWORD}),
]
each_attempt = pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda a: f"{a.action} {a.path} {a.on_apex}")


@each_attempt
def test_attempts__for_one_account__are_limited_from_everywhere_and_lock_no_other(acme, settings, attempt):
    allow(settings, attempt.action, account=2)

    answers = [attempt.make(acme, 1, f"192.0.2.{n}") for n in range(3)]

    assert [a.status_code == 429 for a in answers] == [False, False, True]
    assert 295 <= int(answers[2]["Retry-After"]) <= 300
    assert attempt.make(acme, 2, "192.0.2.0").status_code != 429
    if not attempt.is_page:
        assert answers[2].json()["code"] == "too_many_attempts"
        assert answers[2]["Content-Type"] == "application/problem+json"


@each_attempt
def test_attempts__of_one_network__are_limited_for_all_accounts(acme, settings, attempt):
    allow(settings, attempt.action, network=2)

    answers = [attempt.make(acme, n, f"2001:db8::{n}") for n in range(1, 4)]

    assert [a.status_code == 429 for a in answers] == [False, False, True]
    assert attempt.make(acme, 1, "2001:db8:1::1").status_code != 429


def test_attempts__by_page_and_api__count_together(acme, settings):
    allow(settings, "sign-in", account=2)
    page, api = ATTEMPTS[2], ATTEMPTS[0]

    statuses = [attempt.make(acme, 1).status_code for attempt in (page, api, page, api)]

    assert [status == 429 for status in statuses] == [False, False, True, True]


SPELLINGS = [f"{name}@example.com" for name in ("José", "JOSÉ", "Jose\u0301", " jose", "ｊｏｓé")]


def test_attempts__for_one_account__however_spelled__count_together(acme, settings):
    allow(settings, "sign-in", account=len(SPELLINGS))
    client = Client(HTTP_HOST=acme.host)

    answers = [client.post("/sign-in/", {"login": name, "password": "x"}) for name in [*SPELLINGS, "jose@example.com"]]

    assert [a.status_code for a in answers][-1] == 429
    assert 429 not in [a.status_code for a in answers][:-1]
    assert client.post("/sign-in/", {"login": "joseb@example.com", "password": "x"}).status_code != 429


def test_account__that_is_endless__is_counted_by_its_beginning(database, settings, monkeypatch):
    allow(settings, "sign-in", account=1)
    longest = []
    monkeypatch.setattr(attempts, "folded", lambda text: longest.append(len(text)) or folded(text))
    request = RequestFactory().get("/")
    attempts.count_attempt(request, attempts.SIGN_IN, "jose@example.com")

    with pytest.raises(TooManyAttempts):
        attempts.count_attempt(request, attempts.SIGN_IN, " " * 1000 + "jose@example.com")
    attempts.count_attempt(request, attempts.SIGN_IN, "\ufdfa" * 100_000)  # each of them folds to 18 characters

    assert max(longest) <= 320


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_account__however_spelled__is_one(database, settings, spelling):
    allow(settings, "sign-in", account=1)
    request = RequestFactory().get("/")
    attempts.count_attempt(request, attempts.SIGN_IN, "jose@example.com")

    with pytest.raises(TooManyAttempts):
        attempts.count_attempt(request, attempts.SIGN_IN, spelling)


def test_attempts__over_the_limit__lock_out_the_right_password_of_strangers_but_not_who_is_in(acme, settings):
    allow(settings, "sign-in", account=1)
    person = add_person(acme)
    token, good = issue(acme, person).access, {"email": person.email, "password": PASSWORD}
    assert Program(acme.host).post("auth/login", {**good, "password": "wrong"}).status_code == 401

    assert Program(acme.host).post("auth/login", good).status_code == 429
    assert Program(acme.host, token).get(ME).status_code == 200
    assert program_of(acme).get(ME).status_code == 200


def test_invitations__of_an_organization__are_limited(platform, database, settings):
    home, foreign = platform["pool"]
    allow(settings, "invitation", account=2)

    def invite(organization: Any, name: str) -> int:
        body = {"email": f"{name}@example.com", "role": "viewer"}
        return int(program_of(organization).post("invitations", body).status_code)

    assert [invite(home, name) for name in "abc"] == [201, 201, 429]
    assert invite(foreign, "a") == 201


def test_limits__as_shipped__are_those_of_the_product():
    shipped = configuration.ATTEMPT_LIMITS

    assert shipped["sign-in"] == {"network": 30, "pair": 10, "account": 50, "device": 10, "seconds": 300}
    assert shipped["sign-up"] == {"network": 20, "pair": 5, "device": 5, "seconds": 300, "also": "sign-in"}
    assert shipped["invitation"] == {"account": 100, "seconds": 3600}
    assert shipped["recipient"] == {"account": 10, "seconds": 3600}
    assert shipped["password"] == {"account": 10, "seconds": 300}
    others = {"sign-in", "sign-up", "reset", "lookup", "acceptance", "verification"}
    assert shipped.keys() == others | {"invitation", "recipient", "password"}


@pytest.mark.parametrize("is_page", [True, False])
def test_verification__asked_for_too_often__is_not_mailed(acme, sign_in, settings, is_page):
    allow(settings, "verification", account=2)
    browser, program = sign_in(acme), program_of(acme)

    def ask() -> int:
        answer = browser.post("/profile/verification/") if is_page else program.post("users/me/verification")
        return int(answer.status_code)

    assert [ask() == 429 for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("path", ["/sign-in/", f"{API}/projects", "/nothing/"])
def test_cookie__of_no_session_of_ours__counts_against_the_address(acme, settings, path):
    settings.REQUESTS_PER_MINUTE_ADDRESS = 1
    client = Client(HTTP_HOST=acme.host, HTTP_COOKIE=r'sessionid="\000abcdefghijkl"')

    assert client.get(path).status_code in (200, 401, 404)
    assert client.get(path).status_code == 429
