"""Where it is served by https, no other host can set the cookies that say who somebody is."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from django.conf import settings as configuration
from django.test import Client

from tests.support.factories import PASSWORD

NAMES = ("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "DEVICE_COOKIE_NAME")
SECURE = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE")
PRINTED = "import json; from config import settings_lint as s; print(json.dumps({n: getattr(s, n) for n in %r}))"


def configured(scheme: str) -> dict[str, str | bool]:
    """What an installation that is served so is configured to."""
    result = subprocess.run(
        [sys.executable, "-c", PRINTED % ((*NAMES, *SECURE),)],
        env={**os.environ, "PUBLIC_SCHEME": scheme},
        cwd=configuration.BASE_DIR,
        check=True,
        capture_output=True,
    )
    return dict(json.loads(result.stdout.splitlines()[-1]))


def test_cookies__without_https__have_plain_names():
    assert [configured("http")[name] for name in NAMES] == ["sessionid", "csrftoken", "device"]


def test_cookies__by_https__are_of_this_host_alone(acme, settings):
    """As browsers demand of the prefix: secure, for every path, and without a domain."""
    wanted = configured("https")
    for name, value in wanted.items():
        setattr(settings, name, value)
    client = Client(HTTP_HOST=acme.host, HTTP_X_FORWARDED_PROTO="https")

    client.get("/sign-in/", secure=True)
    client.post("/sign-in/", {"login": acme.owner.email, "password": PASSWORD}, secure=True)

    for name in (str(wanted[name]) for name in NAMES):
        cookie = client.cookies[name]
        assert name.startswith("__Host-")
        assert (bool(cookie["secure"]), cookie["path"], cookie["domain"]) == (True, "/", "")
    assert client.get("/", secure=True).status_code == 200
