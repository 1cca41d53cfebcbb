"""What the server answers by itself, and how answers leave it."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.test import Client
from structlog.testing import capture_logs

from config.server.messages import environ_of
from config.server.static import StaticFiles
from tests.support.clients import API, issue
from tests.support.factories import add_document, add_project

from .conftest import LARGE, SMALL
from .wire import Wire

STATIC = {"/static/small.css": SMALL, "/static/large.css": LARGE}


@pytest.fixture
def stranger(acme, port) -> Wire:
    return Wire(port, acme.host)


@pytest.mark.parametrize("host", ["localhost", "nobody.localhost", "127.0.0.1"])
@pytest.mark.parametrize(("method", "content"), [("GET", b'{"status": "ok"}'), ("HEAD", b"")])
def test_health__asked_on_any_host__is_good(port, host, method, content):
    reply = Wire(port, host).call(method, "/health")

    assert (reply.status, reply.content, reply.headers["Content-Type"]) == (200, content, "application/json")


@pytest.mark.parametrize("path", STATIC)
def test_file__that_is_static__comes_with_the_headers_that_every_answer_has(stranger, path):
    reply = stranger.call("GET", path)
    page = stranger.call("GET", "/sign-in/")

    assert (reply.status, reply.content) == (200, STATIC[path])
    assert reply.headers["Content-Type"] == 'text/css; charset="utf-8"'
    shared = ("Permissions-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy")
    assert {name: reply.headers[name] for name in shared} == {name: page.headers[name] for name in shared}
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert "max-age" in reply.headers["Cache-Control"]


@pytest.mark.parametrize("path", STATIC)
def test_file__that_is_static__is_answered_as_django_would(stranger, path):
    client = Client(HTTP_HOST=stranger.host)
    client.handler.load_middleware()  # anew: it reads the list of files
    through_django = client.get(path)
    direct = stranger.call("GET", path)

    ours = {name.lower(): value for name, value in direct.headers.items()}
    theirs = {name.lower(): value for name, value in through_django.items()}
    assert theirs.items() <= ours.items()


RANGES: list[dict[str, str]] = [
    {"Range": "bytes=0-0"},
    {"Range": "bytes=3-9"},
    {"Range": "bytes=-1"},
    {"Range": "bytes=99999999-"},
    {"Range": "bytes=3-9", "If_Range": '"other"'},
]


@pytest.mark.parametrize("asked", RANGES, ids=str)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", STATIC)
def test_file__asked_for_in_part__is_answered_whole_and_says_so(stranger, path, method, asked):
    reply = stranger.call(method, path, **asked)

    assert (reply.status, reply.content) == (200, STATIC[path] if method == "GET" else b"")
    assert (reply.headers["Accept-Ranges"], reply.headers["Content-Range"]) == ("none", None)
    assert reply.headers["Content-Length"] == str(len(STATIC[path]))


@pytest.mark.parametrize("path", STATIC)
def test_file__that_the_client_has__is_not_sent(stranger, path):
    tag = stranger.call("GET", path).headers["ETag"]

    for known in (tag, f"W/{tag}", f'"x", {tag}', f'{tag}, "x"', f'"x",W/{tag}', "*"):
        for method in ("GET", "HEAD"):
            reply = stranger.call(method, path, If_None_Match=known)
            assert (reply.status, reply.content, reply.headers["ETag"]) == (304, b"", tag), known
    for other in ('"x"', f"{tag[:-1]}", '"x", W/"y"', f'{tag[:-1]}-gzip"'):
        assert stranger.call("GET", path, If_None_Match=other).status == 200, other


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_file__that_is_static__is_for_reading_only(stranger, method):
    assert stranger.call(method, "/static/small.css").status == 405


def test_answer__that_is_long__comes_whole_and_leaves_no_file_that_it_is_not_sent_from(acme, port):
    content = os.urandom(2_000_000)
    document = add_document(acme, add_project(acme, "Plan"), content)
    wire = Wire(port, acme.host, issue(acme).access)

    reply = wire.call("GET", f"{API}/projects/{document.project_id}/documents/{document.id}/content")

    assert (reply.status, reply.content) == (200, content)
    assert reply.headers["Content-Length"] == str(len(content))
    spool = Path(settings.DATA_DIR) / "spool"
    assert oct(spool.stat().st_mode & 0o777) == "0o700"


def test_page__asked_for_compressed__is(stranger):
    reply = stranger.call("GET", "/sign-in/", Accept_Encoding="gzip")

    assert reply.headers["Content-Encoding"] == "gzip"
    assert b"</html>" in gzip.decompress(reply.content)


def test_answer__with_cookies__sets_each_of_them(acme, port):
    wire = Wire(port, acme.host)
    page = wire.call("GET", "/sign-in/")
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    token = page.content.decode().partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    fields = f"csrfmiddlewaretoken={token}&login={acme.owner.email}&password={acme.password.replace(' ', '+')}"

    kind = "application/x-www-form-urlencoded"
    reply = wire.call("POST", "/sign-in/", fields.encode(), Content_Type=kind, Cookie=cookie)

    names = {value.partition("=")[0] for value in reply.headers.get_all("Set-Cookie")}
    assert names >= {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME}


ODD = ["/%FF", "/%00", "/a%2Fb", "/\xc3\xa4", "/?q=%FF", "/" + "a" * 9000]


@pytest.mark.parametrize("path", ODD)
def test_address__of_any_bytes__is_answered(stranger, path):
    with stranger.begun("GET", path) as client:
        line = client.recv(100).decode("latin-1").partition("\r\n")[0]

    assert line.split()[1] in ("200", "302", "400", "404", "414"), line


def test_file__that_is_static__is_logged_like_every_request(settings):
    Path(settings.STATIC_ROOT, "logged.css").write_bytes(SMALL)
    scope = SimpleNamespace(
        method="GET", path="/static/logged.css", query_string="secret=1", http_version="1.1", scheme="http"
    )
    scope.client, scope.server, scope.authority, scope.headers = "192.0.2.7:1234", "127.0.0.1:8000", None, {}

    with capture_logs() as lines:
        answer = StaticFiles().answer(environ_of(scope))

    assert (answer.status, answer.content) == (200, SMALL)
    finished = next(line for line in lines if line["event"] == "request_finished")
    assert (finished["request"], finished["code"]) == ("GET /static/logged.css", 200)
    assert not any("secret" in str(line) for line in lines)
