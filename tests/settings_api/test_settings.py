"""The API of settings and logo."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from tests.support.factories import Organization
from tests.support.pictures import jpeg, png, webp

from .callers import API, fields, program, send

PNG, JPEG, WEBP = png(), jpeg(), webp()

SETTINGS = {
    "name": "Ünïcode & Sons",
    "locale": "de-AT",
    "time_zone": "Europe/Vienna",
    "brand_name": "Sons",
    "brand_color": "#00aaff",
}


# -- settings ---------------------------------------------------------------------------------------------------------


def test_settings__never_changed__have_defaults(home):
    found = send(program(home), "GET", "/settings").json()

    assert (found["name"], found["locale"], found["time_zone"]) == (home.tenant.name, "en", "UTC")
    assert (found["brand_name"], found["brand_color"], found["has_logo"]) == ("", "", False)


def test_settings__changed__stay_changed(home, foreign):
    client = program(home)
    seen = send(client, "GET", "/settings")["ETag"]

    changed = send(client, "PATCH", "/settings", SETTINGS, if_match=seen)
    stale = send(client, "PATCH", "/settings", {"name": "Other"}, if_match=seen)
    found = send(client, "GET", "/settings")

    assert (changed.status_code, stale.status_code, stale.json()["code"]) == (200, 412, "precondition_failed")
    assert {name: found.json()[name] for name in SETTINGS} == SETTINGS
    assert found["ETag"] == changed["ETag"] != seen
    assert send(client, "GET", "/users/org").json()["name"] == SETTINGS["name"]
    assert send(program(foreign), "GET", "/settings").json()["name"] == foreign.tenant.name


def test_brand_color__in_capitals__is_kept_in_small_letters(acme, client):
    assert send(client, "PATCH", "/settings", {"brand_color": "#00AAFF"}).json()["brand_color"] == "#00aaff"


BAD_SETTINGS = [
    ({"name": ""}, "name"),
    ({"name": "  "}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"name": "a\x00b"}, "name"),
    ({"name": None}, "name"),
    ({"locale": ""}, "locale"),
    ({"locale": "Deutsch"}, "locale"),
    ({"locale": "de\n"}, None),
    ({"time_zone": "Mars/Olympus"}, "time_zone"),
    ({"time_zone": ""}, "time_zone"),
    ({"brand_name": "x" * 61}, "brand_name"),
    ({"brand_color": "red"}, "brand_color"),
    ({"brand_color": "#00aaf"}, "brand_color"),
    ({"brand_color": "#00aaff;"}, "brand_color"),
    ({"brand_color": "url(x)"}, "brand_color"),
]


@pytest.mark.parametrize(("content", "field"), BAD_SETTINGS)
def test_settings__that_are_wrong__name_the_field(acme, client, content, field):
    response = send(client, "PATCH", "/settings", content)

    if field is None:
        assert response.json()["locale"] == "de"
    else:
        assert (response.status_code, fields(response)) == (400, {field})


def put_logo(client: Client, content: bytes, name: str = "logo.png", content_type: str = "image/png") -> Any:
    upload = SimpleUploadedFile(name, content, content_type=content_type)
    data = encode_multipart(BOUNDARY, {"file": upload})
    return client.put(f"{API}/settings/logo", data, content_type=MULTIPART_CONTENT)


def stored_files(organization: Organization) -> int:
    return len([file for file in organization.folder.rglob("*") if file.is_file()])


# -- the logo ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")], ids=["png", "jpeg", "webp"]
)
def test_logo__uploaded__is_shown_as_what_it_is(acme, client, content, kind):
    assert put_logo(client, content, "x.html", "text/html").status_code == 204
    shown = client.get(f"{API}/settings/logo")

    assert (b"".join(shown.streaming_content), shown["Content-Type"]) == (content, kind)
    assert shown["X-Content-Type-Options"] == "nosniff"
    assert send(client, "GET", "/settings").json()["has_logo"] is True


def test_logo__replaced_and_removed__leaves_no_file(home, foreign):
    client = program(home)
    put_logo(client, PNG)
    put_logo(client, JPEG)
    assert (stored_files(home), stored_files(foreign)) == (1, 0)
    assert program(foreign).get(f"{API}/settings/logo").status_code == 404

    assert client.delete(f"{API}/settings/logo").status_code == 204
    assert client.delete(f"{API}/settings/logo").status_code == 204
    assert client.get(f"{API}/settings/logo").status_code == 404
    assert stored_files(home) == 0


BAD_LOGOS = {
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "html": b"<!doctype html><script>alert(1)</script>",
    "gif": b"GIF89a" + bytes(64),
    "other riff": b"RIFF\x40\x00\x00\x00WAVEfmt " + bytes(64),
    "late png": b" " + PNG,
    "too large": PNG + bytes(512 * 1024),
    "empty": b"",
    "png of 60,000 by 60,000": png(60_000, 60_000),
    "jpeg too wide": jpeg(2049, 1),
    "webp too high": webp(1, 2049),
    "png without a size": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "png of nothing": png(0, 64),
    "jpeg that ends early": jpeg()[:22],
}


@pytest.mark.parametrize("name", BAD_LOGOS)
def test_logo__that_is_no_picture_or_too_large__is_refused(acme, client, name):
    response = put_logo(client, BAD_LOGOS[name])

    assert (response.status_code, fields(response)) == (400, {"file"})
    assert stored_files(acme) == 0
