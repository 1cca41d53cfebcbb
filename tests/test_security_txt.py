"""Where to report a weakness: the same answer on every host."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.audit.actors import SYSTEM
from apps.core.security_txt import PATH, parse_contacts
from apps.tenants.services import lifecycle

HOSTS = ["apex", "own", "held", "unknown"]


@pytest.fixture
def client(acme, request, settings) -> Client:
    """Of somebody on the host."""
    if request.param == "held":
        lifecycle.hold(slug=acme.tenant.slug, reason="to see", actor=SYSTEM)
    hosts = {"apex": settings.BASE_DOMAIN, "own": acme.host, "held": acme.host, "unknown": "nobody.example"}
    return Client(HTTP_HOST=hosts[request.param])


@pytest.mark.parametrize("client", HOSTS, indirect=True)
def test_security_txt__with_a_contact__is_there_and_valid_for_less_than_a_year(client, settings):
    settings.SECURITY_CONTACT = parse_contacts(["security@example.com", " https://example.com/report "])

    response = client.get(PATH)

    fields = [line.split(": ", 1) for line in response.content.decode().splitlines()]
    contacts = [value for name, value in fields if name == "Contact"]
    (expires,) = [datetime.fromisoformat(value) for name, value in fields if name == "Expires"]
    assert (response.status_code, response["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert contacts == ["mailto:security@example.com", "https://example.com/report"]
    assert timedelta(days=30) < expires - timezone.now() < timedelta(days=365)
    assert client.head(PATH).status_code == 200
    assert client.post(PATH).status_code != 200


@pytest.mark.parametrize("client", HOSTS, indirect=True)
def test_security_txt__without_a_contact__is_not_there(client, settings):
    settings.SECURITY_CONTACT = []

    assert client.get(PATH).status_code == 404


@pytest.mark.parametrize(
    "contact", ["nobody", "http://example.com/", "javascript:alert(1)", "a@b\nExpires: never", "mailto:", "a b@example"]
)
def test_contact__that_no_one_could_use__is_refused(contact):
    with pytest.raises(ValueError, match="SECURITY_CONTACT"):
        parse_contacts([contact])
