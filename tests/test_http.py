"""What HTTP promises, of every route of the API: generated from the URL patterns, so that a new one is held to it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.urls import reverse
from django.utils import timezone

from apps.access.errors import TooManyAttempts
from apps.access.models import IdempotentCall
from apps.access.permissions import ALL
from apps.access.services.idempotency import ABANDONED_AFTER
from apps.accounts.models import HandoffCode, SupportVisit, User
from apps.accounts.services import handoff, people, visits
from apps.audit.actors import SYSTEM
from apps.audit.models import ControlEvent, Event
from apps.core.problems import MOST_FAULTS
from apps.core.routes import named_routes
from apps.staff import services as staff
from apps.tenancy.context import control
from tests.support.clients import APEX, API, issue, staff_browser
from tests.support.factories import PASSWORD, Organization
from tests.support.routes import API_ROUTES, CONTROL_URLS, NEEDS, OPEN, PATTERNS, address_of, body
from tests.support.sampling import a_third
from tests.support.things import LOGO, Belongings, stock

SAFE = {"GET", "HEAD", "OPTIONS"}
ROUTES = sorted(name for name in API_ROUTES if name not in ("api-schema", "api-docs"))
VIEWS: dict[str, Any] = {name: PATTERNS[name].callback.cls for name in ROUTES}
UNSAFE = [(name, method) for name in ROUTES for method in sorted(NEEDS[name].keys() - SAFE)]
READ = [name for name in ROUTES if "GET" in NEEDS[name]]
VERSIONED = [name for name in ROUTES if VIEWS[name].versioned]
ABSENT = {"api-project-share", "api-document-share", "api-logo"}  # nothing is at their addresses before it is put there
MULTIPART = {"api-documents", "api-logo"}


@dataclass(frozen=True)
class Caller:
    """The owner, with a token of their own for each call, as some of the calls end it."""

    organization: Organization
    things: Belongings
    ids: dict[str, Any]

    def call(self, route: str, method: str, content: Any = None, *, query: str = "", **headers: str) -> Any:
        client = Client(HTTP_HOST=self.organization.host, raise_request_exception=False)
        if route not in OPEN:
            headers["Authorization"] = f"Bearer {issue(self.organization).access}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        address = address_of(route, self.ids) + query
        if content is not None and route in MULTIPART:
            encoded = encode_multipart(BOUNDARY, content)
            return client.generic(method, address, encoded, content_type=MULTIPART_CONTENT, headers=named)
        body = {} if content is None else {"data": json.dumps(content), "content_type": "application/json"}
        return client.generic(method, address, headers=named, **body)

    def send(self, route: str, method: str, content: bytes, kind: str = "application/json", **headers: str) -> Any:
        """Exactly these bytes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if route not in OPEN:
            named["Authorization"] = f"Bearer {issue(self.organization).access}"
        client = Client(HTTP_HOST=self.organization.host, raise_request_exception=False)
        return client.generic(method, address_of(route, self.ids), content, content_type=kind, headers=named)

    def tag(self, route: str) -> str:
        return str(self.call(route.replace("api-ownership", "api-member"), "GET")["ETag"])


@pytest.fixture
def generous(settings) -> None:
    settings.ATTEMPT_LIMITS = dict.fromkeys(settings.ATTEMPT_LIMITS, (10000, 10000, 60))
    settings.REQUESTS_PER_MINUTE_USER = settings.REQUESTS_PER_MINUTE_ADDRESS = 10000


@pytest.fixture
def owner(acme, generous) -> Caller:
    things = stock(acme)
    return Caller(acme, things, things.arguments())


def log_of(organization: Organization) -> set[Any]:
    """What was recorded in either plane, but for the tokens that the caller uses."""
    with organization.inside():
        inside = set(Event.objects.values_list("action", "resource_id"))
    with control("look"):
        about = ControlEvent.objects.exclude(action="session.started")
        return inside | set(about.values_list("action", "resource_id"))


def codes(answer: Any) -> dict[str, str]:
    return {error["field"]: error["code"] for error in answer.json().get("errors", [])}


# -- preconditions -----------------------------------------------------------------------------------------------


LONG = {"api-project": {"description": "long " * 100}, "api-role": {"permissions": sorted(ALL)}}


@pytest.mark.parametrize("route", VERSIONED)
def test_etag__shown_to_a_client_that_takes_gzip__is_strong_and_lets_its_change_through(owner, route):
    if route in LONG:  # enough to be worth compressing
        assert owner.call(route, "PATCH", LONG[route]).status_code == 200
    seen = owner.call(route.replace("api-ownership", "api-member"), "GET", Accept_Encoding="gzip, br")

    assert owner.call("api-permissions", "GET", Accept_Encoding="gzip, br")["Content-Encoding"] == "gzip"
    assert seen["ETag"].startswith('"')
    assert "Content-Encoding" not in seen
    for method in sorted({method for name, method in UNSAFE if name == route}, reverse=True):  # DELETE is last
        content = None if method != "PATCH" else {"role": "viewer"} if route == "api-member" else {}
        changed = owner.call(route, method, content, If_Match=owner.tag(route), Accept_Encoding="gzip")
        assert changed.status_code in (200, 204, 409), changed.content


def test_etags__of_reads__are_shown_by_versioned_views_only(owner):
    showing = {name for name in READ if "ETag" in owner.call(name, "GET")}

    assert showing == set(VERSIONED) - {"api-ownership"}


@pytest.mark.sampled
def test_preconditions__that_fail__stop_every_unsafe_call(owner, subtests):
    before = log_of(owner.organization)
    for route, method in a_third(UNSAFE):
        failing = [{"If_Match": tags} for tags in ('"stale"', '"stale", W/"other"', "W/", "")]
        failing += [{"If_None_Match": "*"}] if route not in ABSENT else [{"If_Match": "*"}]
        if route in VERSIONED:
            tag = owner.tag(route)
            failing += [{"If_Match": f"W/{tag}"}, {"If_None_Match": tag}, {"If_None_Match": f'"x", W/{tag}'}]
            failing += [{"If_Match": '"stale"', "If_None_Match": '"stale"'}]  # If-Match is looked at first
        for headers in failing:
            with subtests.test(route=route, method=method, headers=headers):
                answer = owner.call(route, method, {}, **headers)
                assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    assert log_of(owner.organization) == before


def test_preconditions__that_hold__stop_no_call(owner, subtests):
    for route, method in UNSAFE:
        if method == "DELETE" or route in OPEN:
            continue
        holding = [{"If_None_Match": '"stale"'}, {"If_None_Match": "*"} if route in ABSENT else {"If_Match": "*"}]
        for headers in holding:
            with subtests.test(route=route, method=method, headers=headers):
                assert owner.call(route, method, {"surprise": 1}, **headers).status_code == 400


@pytest.mark.parametrize("route", [name for name in VERSIONED if "PATCH" in NEEDS[name]])
def test_if_match__with_the_tag_among_others__lets_the_change_through(owner, route):
    content = {"role": "viewer"} if route == "api-member" else {}

    assert owner.call(route, "PATCH", content, If_Match=f'"other", {owner.tag(route)}').status_code == 200
    assert owner.call(route, "PATCH", content, If_Match="*").status_code == 200


@pytest.mark.parametrize("route", [name for name in VERSIONED if "GET" in NEEDS[name]])
def test_read__of_what_the_client_has__is_not_modified(owner, route):
    tag = owner.tag(route)
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = owner.call(route, "GET", If_None_Match=known)
        assert (answer.status_code, answer["ETag"], answer.content) == (304, tag, b"")
    assert owner.call(route, "GET", If_None_Match='"other"').status_code == 200
    assert owner.call(route, "GET", If_Match='"other"').status_code == 412


@pytest.mark.parametrize("route", [name for name in VERSIONED if "DELETE" in NEEDS[name]])
def test_delete__of_what_has_changed_meanwhile__is_refused_under_the_lock(owner, route, monkeypatch):
    """Between the look at the address and the lock somebody else is faster."""
    tag = owner.tag(route)
    monkeypatch.setattr("apps.access.resources.matches", lambda *_: True)

    assert owner.call(route, "DELETE", If_Match='"stale"').status_code == 412
    assert owner.call(route, "GET")["ETag"] == tag


# -- what is not taken is refused --------------------------------------------------------------------------------


def test_members__that_are_unknown__are_refused_by_name_by_every_call(owner, subtests):
    before = log_of(owner.organization)
    for route, method in UNSAFE:
        with subtests.test(route=route, method=method):
            answer = owner.call(route, method, {"is_privat": "x"})
            assert answer.status_code == 400, answer.content
            assert codes(answer)["is_privat"] == "unknown_member"
    assert log_of(owner.organization) == before


def test_members__unknown_inside_others__are_refused_by_name(owner):
    answer = owner.call("api-projects-bulk", "POST", {"items": [{"name": "A"}, {"name": "B", "is_privat": True}]})

    assert codes(answer) == {"items.1.is_privat": "unknown_member"}


REPEATED: list[tuple[str, str, str, set[str]]] = [
    ("api-projects", "POST", '{"is_private": true, "name": "P", "is_private": false}', {"is_private"}),
    ("api-projects", "POST", '{"name": "P", "n\\u0061me": "P"}', {"name"}),
    ("api-projects", "POST", '{"name": "P", "name": "P", "x": 1, "x": 2, "x": 3}', {"name", "x"}),
    ("api-projects", "POST", '{"name": "P", "custom_fields": {"a": 1, "a": 2}}', {"custom_fields.a"}),
    ("api-projects-bulk", "POST", '{"items": [{"name": "A"}, {"name": "B", "name": "C"}]}', {"items.1.name"}),
    ("api-projects-bulk", "POST", '{"items": [], "items": [{"name": "B", "name": "C"}]}', {"items"}),
    ("api-projects", "POST", '[[{"a": {"b": 1, "b": 1}}]]', {"0.0.a.b"}),
]


@pytest.mark.parametrize(("route", "method", "content", "fields"), REPEATED)
def test_members__given_twice__are_refused_by_name(owner, route, method, content, fields):
    before = log_of(owner.organization)

    answer = owner.send(route, method, content.encode())

    assert answer.status_code == 400, answer.content
    assert codes(answer) == dict.fromkeys(fields, "repeated_member")
    assert log_of(owner.organization) == before


def test_members__given_twice__are_refused_by_every_call(owner, subtests):
    for route, method in UNSAFE:
        if route not in MULTIPART:
            with subtests.test(route=route, method=method):
                answer = owner.send(route, method, b'{"x": {"name": 1, "name": 1}}')
                assert (answer.status_code, codes(answer)) == (400, {"x.name": "repeated_member"})


@pytest.mark.parametrize("content", [["a.txt", "b.txt"], ["a.txt", "a.txt"], ["a.txt", "b.txt", "c.txt"]])
@pytest.mark.parametrize(("route", "method"), [(name, method) for name, method in UNSAFE if name in MULTIPART])
def test_parts__sent_twice__are_refused_by_name(owner, route, method, content):
    if method == "DELETE":
        return
    before = log_of(owner.organization)

    answer = owner.call(route, method, {"file": [SimpleUploadedFile(name, LOGO) for name in content]})

    assert (answer.status_code, codes(answer)) == (400, {"file": "repeated_member"})
    assert log_of(owner.organization) == before


def test_key__used_for_other_parts__is_refused(owner):
    def upload(*contents: bytes) -> int:
        files = [SimpleUploadedFile("a.txt", content) for content in contents]
        return int(owner.call("api-documents", "POST", {"file": files}, Idempotency_Key="k").status_code)

    assert [upload(b"a", b"c"), upload(b"b", b"c"), upload(b"c"), upload(b"a", b"c")] == [400, 422, 422, 400]


@pytest.mark.parametrize("content", ["{}", '{"items": [{}]}'])
def test_faults__of_which_there_are_thousands__are_named_in_part(owner, content):
    members = json.dumps({f"m{n}": 1 for n in range(40_000)})
    began = time.process_time()

    answer = owner.send("api-projects-bulk", "POST", content.replace("{}", members).encode())

    assert answer.status_code == 400
    assert len(answer.json()["errors"]) == MOST_FAULTS
    assert int("".join(filter(str.isdigit, answer.json()["detail"]))) >= 40_000 - MOST_FAULTS
    assert len(answer.content) < 20_000
    assert time.process_time() - began < 2


def test_members__of_another_type__are_refused(owner):
    for content, field in [
        ({"name": 5}, "name"),
        ({"name": 1.5}, "name"),
        ({"name": True}, "name"),
        ({"name": "P", "is_private": "true"}, "is_private"),
        ({"name": "P", "is_private": 1}, "is_private"),
    ]:
        assert field in codes(owner.call("api-projects", "POST", content)), content


def test_parameters__that_are_unknown_or_repeated__are_refused_by_name_by_every_call(owner, subtests):
    for route in ROUTES:
        for method in NEEDS[route]:
            with subtests.test(route=route, method=method):
                answer = owner.call(route, method, query="?surprise=1")
                assert answer.status_code == 400, answer.content
                assert codes(answer) == {"surprise": "unknown_parameter"}
    assert codes(owner.call("api-projects", "GET", query="?search=a&search=b")) == {"search": "repeated_parameter"}


def test_parameters__that_are_empty_or_null__are_refused_by_name(owner, subtests):
    for route in READ:
        view = VIEWS[route]
        known = {name for one in view.parameters for name in one().fields}
        known |= set(view.query.parameters().fields) if view.queryset is not None else set()
        for name in known - {"search", "cursor"}:
            with subtests.test(route=route, name=name):
                answer = owner.call(route, "GET", query=f"?{name}=")
                assert answer.status_code == 400, answer.content
                assert name in codes(answer)
    for query in ("?is_private=null", "?page_size=0"):
        assert owner.call("api-projects", "GET", query=query).status_code == 400
    assert owner.call("api-projects", "GET", query="?cursor=").status_code == 404
    assert owner.call("api-projects", "GET", query="?cursor=anVuaw==").status_code == 404


# -- reading changes nothing -------------------------------------------------------------------------------------


@pytest.mark.sampled
def test_head__of_every_route__changes_nothing(owner, sign_in, subtests):
    browser = sign_in(owner.organization)
    user = owner.organization.owner
    code = handoff.issue_handoff_code(tenant_id=owner.organization.tenant.id, person=user)
    visit = visits.grant(tenant_id=owner.organization.tenant.id, user_id=_superuser().id, reason="a look")
    proofs = {"handoff": f"?code={code}", "visit": f"?code={visit}"}
    before = log_of(owner.organization)
    for route in a_third(NEEDS):
        token = people.make_verification_token(user) if route == "verify-email" else owner.ids["token"]
        values = {**owner.ids, "token": token}
        with subtests.test(route=route):
            answer = browser.head(address_of(route, values) + proofs.get(route, ""))
            assert answer.status_code < 500
            assert body(answer) == b""
            assert log_of(owner.organization) == before
    with control("look"):
        assert not HandoffCode.objects.filter(used_at__isnull=False).exists()
        assert not SupportVisit.objects.filter(started_at__isnull=False).exists()


def _superuser() -> User:
    return staff.appoint(email="staff@example.com", password=PASSWORD, is_superuser=True, actor=SYSTEM)


# -- media types -------------------------------------------------------------------------------------------------


def documented() -> list[tuple[str, str]]:
    """Every route that is read, with each media type that the description says it answers."""
    description = yaml.safe_load((Path(settings.BASE_DIR) / "docs/openapi.yaml").read_text())
    addresses = {
        f"{API}/" + str(PATTERNS[name].pattern).replace("<uuid:", "{").replace(">", "}"): name for name in READ
    }
    found = []
    for path, operations in description["paths"].items():
        for status, response in operations.get("get", {}).get("responses", {}).items():
            if status.startswith("2") and path in addresses:
                found += [(addresses[path], media_type) for media_type in response.get("content", {})]
    return found


DOCUMENTED = documented()


def test_media_types__that_are_documented__are_answered_to_who_accepts_only_them(owner, subtests):
    owner.call("api-logo", "PUT", {"file": SimpleUploadedFile("logo.png", LOGO)})
    assert {name for name, _ in DOCUMENTED} == set(READ)
    for route, media_type in DOCUMENTED:
        with subtests.test(route=route, media_type=media_type):
            answer = owner.call(route, "GET", Accept=media_type)
            main, _, kind = media_type.partition("/")
            given = answer["Content-Type"].partition(";")[0]
            assert answer.status_code == 200, answer.content
            assert main in ("*", given.partition("/")[0])
            assert kind in ("*", given.partition("/")[2])


def test_media_type__of_a_refusal__is_a_problem_whatever_is_accepted(owner):
    owner.ids["document_id"] = uuid4()

    answer = owner.call("api-document-content", "GET", Accept="image/png")

    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert owner.call("api-audit-export", "GET", Accept="text/html").status_code == 406


JSONL, CSV = "application/jsonl", "text/csv"


@pytest.mark.parametrize(
    ("accepted", "given"),
    [
        (f"{JSONL};q=0.1, {CSV}", CSV),
        (f"{CSV};q=0.1, {JSONL}", JSONL),
        (f"{CSV}; q=0.5, {JSONL}; Q=0.501", JSONL),
        (f"{CSV}, {JSONL}", None),
        (f"{CSV}, */*", CSV),
        ("text/*, */*;q=0.9", CSV),
        (f"{CSV};q=0, */*", JSONL),
        (f"{JSONL};q=0.000, */*", CSV),
        (f"text/*;q=0, {CSV}, */*;q=0", CSV),
        (f"{CSV};q=nan", CSV),
        ("*/*", None),
        ("application/json", 406),
        ("application/json, */*;q=0", 406),
        (f"{JSONL};q=0, {CSV};q=0", 406),
        ("*/*;q=0", 406),
        ("text/*;q=0", 406),
    ],
)
def test_media_type__is_the_one_that_is_wanted_most(owner, accepted, given):
    answer = owner.call("api-audit-export", "GET", Accept=accepted)

    if given == 406:
        assert (answer.status_code, answer["Content-Type"]) == (406, "application/problem+json")
    else:
        assert answer.status_code == 200
        assert answer["Content-Type"].partition(";")[0] in ((CSV, JSONL) if given is None else (given,))


def test_media_type__that_is_not_wanted__is_answered_by_no_route(owner, subtests):
    owner.call("api-logo", "PUT", {"file": SimpleUploadedFile("logo.png", LOGO)})
    for route, media_type in DOCUMENTED:
        with subtests.test(route=route, media_type=media_type):
            refused = f"{media_type};q=0" + ("" if "*" in media_type else ", text/html")
            assert owner.call(route, "GET", Accept=refused).status_code == 406
            assert owner.call(route, "GET", Accept=f"text/html;q=0.2, {media_type};q=0.1").status_code == 200


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ('application/json; charset="UTF-8"', 201),
        ("application/json; charset=us-ascii", 201),
        ("application/json; charset=latin-1", 415),
        ("application/json; charset=utf-16", 415),
        ("application/json; charset=nonsense", 415),
        ("*/*", 415),
        ("application/*", 415),
        ("*/json", 415),
        ("text/plain", 415),
    ],
)
def test_content__of_a_type_that_is_not_read__is_refused(owner, kind, status):
    assert owner.send("api-projects", "POST", b'{"name": "P"}', kind).status_code == status


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[(name, "application/octet-stream") for name in "a.js a.html a.htm a.xhtml a.svg a.xml a.css a.mjs a".split()],
        *[("a.png", "image/png"), ("a.pdf", "application/pdf"), ("a.txt", "text/plain"), ("a.csv", "text/csv")],
    ],
)
def test_document__that_a_browser_could_run__is_served_as_bytes_in_a_sandbox(acme, owner, sign_in, name, kind):
    made = owner.call("api-documents", "POST", {"file": SimpleUploadedFile(name, b"content")})
    owner.ids["document_id"] = made.json()["id"]
    browser = sign_in(acme)
    link = browser.get(address_of("projects:document-link", owner.ids))

    for answer in [owner.call("api-document-content", "GET"), browser.get(link["Location"])]:
        assert answer.status_code == 200
        assert answer["Content-Type"] == kind
        assert answer["Content-Disposition"].startswith("attachment")
        assert "sandbox" in answer["Content-Security-Policy"]
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
        answer.close()


# -- calls that are repeated -------------------------------------------------------------------------------------


def test_key__on_every_unsafe_call__is_honoured_or_refused(owner, subtests):
    for route, method in UNSAFE:
        with subtests.test(route=route, method=method):
            first, again = (owner.call(route, method, {"x": 1}, Idempotency_Key=route + method) for _ in range(2))
            if route in OPEN:
                assert codes(again) == {}
                assert again.json()["code"] == "idempotency_key_needs_credentials"
            else:
                assert again["Idempotent-Replayed"] == "true"
                assert (again.status_code, again.content) == (first.status_code, first.content)


def test_key__on_registering__is_refused_on_the_apex(platform, database):
    body = json.dumps({"organization": "Twice", "email": "twice@example.com", "password": "a password that is long"})

    answer = Client(HTTP_HOST="localhost").post(
        f"{API}/auth/register", body, content_type="application/json", headers={"Idempotency-Key": "once"}
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_needs_credentials")


@pytest.mark.parametrize("other", [{"If_Match": "*"}, {"If_None_Match": '"x"'}])
def test_key__used_with_another_precondition__is_refused(owner, other):
    content = {"name": "Better"}
    assert owner.call("api-project", "PATCH", content, Idempotency_Key="k").status_code == 200

    assert owner.call("api-project", "PATCH", content, Idempotency_Key="k", **other).status_code == 422


def test_key__used_for_the_same_content_under_another_file_name__is_refused(owner):
    def upload(name: str) -> int:
        content = {"file": SimpleUploadedFile(name, b"same", "text/plain")}
        return int(owner.call("api-documents", "POST", content, Idempotency_Key="k").status_code)

    assert [upload("a.txt"), upload("a.txt"), upload("b.txt")] == [201, 201, 422]


CREATING = {
    "api-keys": {"name": "robot", "scopes": ["projects:read"]},
    "api-projects": {"name": "Plan"},
    "api-projects-bulk": {"items": [{"name": "Plan"}, {"name": "Second"}]},
    "api-roles": {"name": "Author", "permissions": ["projects:read"]},
    "api-invitations": {"email": "new@example.com", "role": "viewer"},
    "api-custom-fields": {"key": "cost", "label": "Cost", "kind": "text"},
}


@pytest.mark.parametrize("route", [*CREATING, "api-documents"])
def test_call__whose_process_died_after_its_effect__is_not_carried_out_again(owner, route):
    def create() -> Any:
        content: Any = CREATING.get(route) or {"file": SimpleUploadedFile("a.txt", b"content")}
        return owner.call(route, "POST", content, Idempotency_Key="k")

    made = create()
    with control("the process dies before it can keep the answer"):
        IdempotentCall.objects.update(status=None, body=None, started_at=timezone.now() - ABANDONED_AFTER)
    before = log_of(owner.organization)

    again = create()

    assert made.status_code == 201, made.content
    assert (again.status_code, again.json()["code"]) == (409, "idempotent_call_answer_lost")
    assert again.json()["done"]
    assert log_of(owner.organization) == before


def test_call__whose_process_died_after_its_effect__is_found_in_every_placement(home):
    owner = Caller(home, stock(home), {})
    made = owner.call("api-projects", "POST", {"name": "Plan"}, Idempotency_Key="k")
    with control("the process dies before it can keep the answer"):
        IdempotentCall.objects.update(status=None, body=None, started_at=timezone.now() - ABANDONED_AFTER)

    again = owner.call("api-projects", "POST", {"name": "Plan"}, Idempotency_Key="k")

    assert again.json()["done"] == [{"action": "project.created", "type": "project", "id": made.json()["id"]}]


# -- come again --------------------------------------------------------------------------------------------------


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("error", "status"), [(OperationalError("away"), 503), (TooManyAttempts(retry_after_seconds=7), 429)]
)
def test_refusal__that_passes__says_when_on_every_route(owner, sign_in, monkeypatch, subtests, error, status):
    browser = sign_in(owner.organization)

    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    for name in a_third(NEEDS):
        pattern = PATTERNS[name]
        is_api = name in API_ROUTES
        with subtests.test(route=name), monkeypatch.context() as broken:
            if is_api:
                broken.setattr(pattern.callback.cls, "initial", fail)
            else:
                broken.setattr(pattern, "callback", fail)
            method = next(iter(NEEDS[name]))
            answer = owner.call(name, method) if is_api else browser.get(address_of(name, owner.ids))
            assert answer.status_code == status
            assert answer["Retry-After"] == ("7" if status == 429 else "1")


# -- the apex ----------------------------------------------------------------------------------------------------

# Its pages, those of staff among them, but for what is about one thing.
APEX_PAGES = {
    name: pattern
    for name, pattern in named_routes(CONTROL_URLS)
    if not hasattr(pattern.callback, "cls") and not pattern.pattern.regex.groups and name != "admin:None"
}


@pytest.mark.parametrize(
    ("error", "status"), [(OperationalError("away"), 503), (TooManyAttempts(retry_after_seconds=7), 429)]
)
def test_refusal__that_passes__says_when_on_every_page_of_the_apex(
    platform, database, monkeypatch, subtests, error, status
):
    browser = staff_browser(is_superuser=True)
    browser.raise_request_exception = False

    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    for name, pattern in APEX_PAGES.items():
        with subtests.test(route=name), monkeypatch.context() as broken:
            broken.setattr(pattern, "callback", fail)
            answer = browser.get(reverse(name, urlconf=CONTROL_URLS))
            assert (answer.status_code, answer["Retry-After"]) == (status, "7" if status == 429 else "1")


def test_head__of_every_page_of_the_apex__changes_nothing(acme, subtests):
    browser = staff_browser(is_superuser=True)
    before = log_of(acme)

    for name in APEX_PAGES:
        with subtests.test(route=name):
            answer = browser.head(reverse(name, urlconf=CONTROL_URLS))
            assert answer.status_code < 500
            assert (body(answer), log_of(acme)) == (b"", before)
    assert browser.get("/admin/").status_code == 200  # nobody was signed out


def test_reads__with_a_token_on_the_apex__answer_as_on_the_organizations_host(owner, subtests):
    owner.call("api-logo", "PUT", {"file": SimpleUploadedFile("logo.png", LOGO)})
    for route in [*READ, "api-docs", "api-schema"]:
        with subtests.test(route=route):
            client = Client(HTTP_HOST=APEX, raise_request_exception=False)
            headers = {"Authorization": f"Bearer {issue(owner.organization).access}"}
            assert client.get(address_of(route, owner.ids), headers=headers).status_code == 200


def test_docs__say_their_language(acme):
    assert b'<html lang="en">' in Client(HTTP_HOST=APEX).get(f"{API}/docs/").content


# -- documents that are costly to read ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"[" + b"[]," * 1_600_000 + b"[]]", 413),
        (b'{"name": "' + b'\\",' * 1_000_000, 400),
        (b'{"name": "P", "description": "' + b"," * 60_000 + b'"}', 400),
        (b'{"name": 1e999}', 400),
        (b'{"name": "P", "custom_fields": {"x": -1e999}}', 400),
    ],
    ids=["lists", "endless text", "commas", "infinite", "infinite inside"],
)
def test_json__that_takes_long_or_no_number__is_refused_at_once(owner, content, status):
    headers = {"Authorization": f"Bearer {issue(owner.organization).access}"}
    client = Client(HTTP_HOST=owner.organization.host)
    began = time.process_time()

    answer = client.post(f"{API}/projects", content, content_type="application/json", headers=headers)

    assert answer.status_code == status, answer.content
    assert time.process_time() - began < 0.5
    assert (b"description" in answer.content) == (b"description" in content)


# -- methods -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signed_in", [True, False])
def test_methods__that_are_allowed__are_named_and_no_others(owner, subtests, signed_in):
    for route in sorted(API_ROUTES):
        with subtests.test(route=route):
            client = Client(HTTP_HOST=owner.organization.host, raise_request_exception=False)
            token = {"Authorization": f"Bearer {issue(owner.organization).access}"} if signed_in else {}
            for method in ("OPTIONS", "TRACE", "BREW"):
                answer = client.generic(method, address_of(route, owner.ids), headers=token)
                allowed = {name.strip() for name in answer["Allow"].split(",")}
                assert answer.status_code == 405
                assert allowed - {"HEAD"} == set(NEEDS[route])
                assert ("HEAD" in allowed) == ("GET" in allowed)
