"""E-mails: what each says in both of its parts, and the pages on which development reads them."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from apps.notifications import services
from apps.notifications.composition import compose
from apps.notifications.filebox import EmailBackend
from apps.notifications.letters import LETTERS
from apps.notifications.models import SentEmail
from apps.notifications.services import MailInHand, send_email_once
from apps.notifications.tasks import send_verification
from apps.tenancy.context import control
from apps.tenants.branding import BLACK, DARK_LINE, LIGHT_LINE, WHITE, Brand, contrast, parsed
from apps.tenants.services.profiles import logo_token, set_logo, update_profile
from tests.support.completeness import assert_complete
from tests.support.pictures import png, webp

TEMPLATES = Path(settings.BASE_DIR, "templates", "emails")
ADDRESS = "https://acme.example.com/open/?token=a&next=b"
HOSTILE = '<script>alert(1)</script></mj-text> "quoted" {{ x }} ]]>\r\nBcc: eve@example.com\x0b'
PNG, WEBP = png(), webp()
MAX_BYTES = 60_000  # some mail programs cut what is longer than 100 kB
COLORS = ["#4f39f6", "#0f766e", "#facc15", "#fafaf5", "#111111", "#777777", "#ff0000"]


@pytest.fixture
def apex() -> Client:
    return Client(HTTP_HOST="localhost", raise_request_exception=False)


@pytest.fixture
def letter(settings, tmp_path, monkeypatch) -> str:
    """The name of a mail in development's inbox, from an organization with a hostile name."""
    settings.EMAIL_FILE_PATH = str(tmp_path)
    context = {"organization": HOSTILE, "address": ADDRESS}
    composed = compose("password_reset", context, Brand(HOSTILE))
    message = mail.EmailMultiAlternatives(composed.subject, composed.text, to=["ada@example.com"])
    message.attach_alternative(composed.html, "text/html")
    EmailBackend().send_messages([message])
    return next(tmp_path.glob("*.eml")).stem


# -- what a mail says --------------------------------------------------------------------------------------------


def test_samples__compared_with_the_templates__are_complete():
    written = {file.stem for file in TEMPLATES.glob("*.*")}

    assert_complete(LETTERS, written, table="the module mails of an app")


@pytest.mark.parametrize("name", LETTERS)
def test_mail__with_its_sample__says_the_same_in_both_parts(name):
    letter = LETTERS[name]
    context, brand = letter.sample, letter.brand

    composed = letter.composed()

    assert composed.subject
    assert "\n" not in composed.subject
    assert composed.text.startswith(composed.subject)
    assert "You get this mail because" in composed.text
    assert "&" not in composed.text.replace(" & ", "")
    assert f"<title>{composed.subject}</title>" in composed.html
    assert "You get this mail because" in composed.html
    assert f">{brand.name}</td>" in composed.html
    for address in [context.get("address"), *(address for _, address in context.get("links", ()))]:
        assert address is None or (address in composed.text and f'href="{address}"' in composed.html)


@pytest.mark.parametrize("name", LETTERS)
def test_mail__opened__loads_nothing_and_is_small(name):
    html = LETTERS[name].composed().html

    assert not re.search(r"<(script|link|iframe|form)\b|@import|url\(|\bsrc=(?!\"data:)", html)
    assert len(html.encode()) < MAX_BYTES
    assert '<meta name="color-scheme" content="light dark"' in html
    assert re.search(r'<html lang="en', html)


@pytest.mark.parametrize("name", LETTERS)
def test_mail__about_somebody_with_a_hostile_name__holds_no_markup_of_theirs(name):
    words = {"organization": HOSTILE, "email": HOSTILE, "invited_by": HOSTILE, "links": [(HOSTILE, ADDRESS)]}

    composed = compose(name, {**words, "address": ADDRESS}, Brand(HOSTILE))

    assert "<script" not in composed.html
    assert "</mj-" not in composed.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in composed.html
    assert composed.html.count('href="https://acme.example.com/open/?token=a&amp;next=b"') >= 2
    assert ADDRESS in composed.text
    assert len(composed.subject.splitlines()) == 1


def test_mail__sent_with_a_hostile_name__has_no_header_of_theirs(acme):
    send_email_once(
        to="ada@example.com", template="verification", context={"organization": HOSTILE, "address": ADDRESS}, key="one"
    )

    message = mail.outbox[0].message()
    assert "Bcc" not in message
    assert [part.get_content_type() for part in message.get_payload()] == ["text/plain", "text/html"]


# -- once ----------------------------------------------------------------------------------------------------------


def tell(key: str = "one") -> None:
    send_email_once(to="ada@example.com", template="verification", context={"address": ADDRESS}, key=key)


def test_mail__while_the_server_is_talked_to__keeps_no_transaction_open(acme, monkeypatch):
    seen = []
    monkeypatch.setattr(mail.EmailMultiAlternatives, "send", lambda _: seen.append(connection.in_atomic_block))

    tell()

    assert seen == [False]


def test_mail__in_the_hands_of_another_worker__is_left_to_it_for_a_while(acme, monkeypatch):
    with control("claim it"):
        SentEmail.objects.create(key="one")

    with pytest.raises(MailInHand):
        tell()
    assert mail.outbox == []
    monkeypatch.setattr(services, "CLAIM", timedelta(0))  # it has died
    tell()

    assert len(mail.outbox) == 1


def test_mail__that_the_server_refused__is_sent_by_the_next_try_and_then_no_more(acme, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(ConnectionRefusedError):
        patch.setattr(mail.EmailMultiAlternatives, "send", raising(ConnectionRefusedError()))
        tell()

    tell()
    tell()

    assert len(mail.outbox) == 1


def raising(error: Exception) -> Any:
    def fail(*args: Any) -> None:
        raise error

    return fail


def test_mail__without_organizations__says_so_and_has_no_button():
    composed = compose("organizations", {"links": []}, Brand())

    assert "no organization" in composed.text
    assert "no organization" in composed.html
    assert "<a " not in composed.html


# -- the organization's look -------------------------------------------------------------------------------------


def test_mail__of_an_organization_with_branding__wears_it(acme):
    with acme.inside():
        update_profile(actor=acme.subject, tenant_id=acme.tenant.id, brand_name="Acme & Sons", brand_color="#FACC15")
        send_verification(event_id="two", user_id=str(acme.owner.pk))

    html = mail.outbox[0].alternatives[0][0]
    assert "Acme &amp; Sons</td>" in html
    assert re.search(r'<a href="http[^"]+" target="_blank" style="[^"]*background:#facc15;color:#000000;', html)


def test_mail__of_an_organization_without_branding__has_its_name_and_the_default_color(acme):
    with acme.inside():
        send_verification(event_id="three", user_id=str(acme.owner.pk))

    html = mail.outbox[0].alternatives[0][0]
    assert f">{acme.tenant.name}</td>" in html
    assert f"background:{Brand().color};color:#ffffff;" in html


def test_mail__of_an_organization_with_a_logo__shows_it_to_whoever_reads_it(acme, foreign_client, settings):
    settings.PUBLIC_SCHEME = "https"
    with acme.inside():
        profile = set_logo(actor=acme.subject, tenant_id=acme.tenant.id, upload=SimpleUploadedFile("logo.png", PNG))
        send_verification(event_id="four", user_id=str(acme.owner.pk))
    source = re.search(
        r'<img src="https://([^/:"]+)(?::\d+)?(/brand/logo/[0-9a-f]{32}/)"', mail.outbox[0].alternatives[0][0]
    )
    assert source
    assert source[1] == acme.host

    shown = Client(HTTP_HOST=acme.host).get(source[2])
    elsewhere, guessed = foreign_client.get(source[2]), Client(HTTP_HOST=acme.host).get(f"/brand/logo/{'0' * 32}/")

    assert (shown.status_code, shown["Content-Type"], b"".join(shown.streaming_content)) == (200, "image/png", PNG)
    assert (elsewhere.status_code, guessed.status_code) == (403, 403)
    assert logo_token(profile) in source[2]


@pytest.mark.parametrize(("scheme", "picture"), [("http", "PNG"), ("https", "WebP"), ("https", "")])
def test_mail__whose_logo_could_not_be_shown__has_the_name(acme, settings, scheme, picture):
    settings.PUBLIC_SCHEME = scheme
    content = {"PNG": PNG, "WebP": WEBP}.get(picture)
    with acme.inside():
        if content:
            set_logo(actor=acme.subject, tenant_id=acme.tenant.id, upload=SimpleUploadedFile("logo", content))
        send_verification(event_id="five", user_id=str(acme.owner.pk))

    html = mail.outbox[0].alternatives[0][0]
    assert "<img" not in html
    assert f">{acme.tenant.name}</td>" in html


@pytest.fixture
def foreign_client(platform) -> Client:
    return Client(HTTP_HOST=platform["schema"][1].host)


def test_contrast__of_known_pairs__is_what_wcag_says():
    assert contrast(WHITE, BLACK) == contrast(BLACK, WHITE) == 21
    assert contrast(parsed("#777777"), WHITE) == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("color", COLORS)
def test_brand__in_any_color__has_readable_ink(color):
    brand = Brand("Acme", color)

    assert contrast(parsed(brand.ink), parsed(brand.color)) >= 4.5


def test_brand__nearly_as_light_or_dark_as_its_card__is_drawn_with_a_line():
    pale, dark, plain = Brand("Acme", "#fafaf5"), Brand("Acme", "#111111"), Brand()

    assert (pale.light_edge, pale.dark_edge) == (LIGHT_LINE, pale.color)
    assert (dark.light_edge, dark.dark_edge) == (dark.color, DARK_LINE)
    assert plain.light_edge == plain.dark_edge == plain.color


# -- development's pages -----------------------------------------------------------------------------------------


def test_inbox__with_a_mail__leads_to_it(platform, apex, letter):
    page = apex.get("/dev/inbox/").content.decode()

    assert f'href="/dev/inbox/{letter}/"' in page
    assert page.count("<script") == page.count("<script src=")


def test_inbox__a_mail_opened__shows_text_and_frames_the_html(platform, apex, letter):
    response = apex.get(f"/dev/inbox/{letter}/")

    page = response.content.decode()
    assert f'<iframe src="/dev/inbox/{letter}/html/"' in page
    assert 'sandbox="allow-popups' in page
    assert '<a href="https://acme.example.com/open/?token=a&amp;next=b"' in page
    assert "unsafe-inline" not in response["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/dev/inbox/{}/html/", "/dev/mails/password_reset/html/"])
def test_html_part__in_its_frame__may_style_itself_and_nothing_else(platform, apex, letter, path):
    response = apex.get(path.format(letter))

    policy = response["Content-Security-Policy"]
    assert response.content.startswith(b"<!doctype html>")
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert "frame-ancestors 'self'" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert response["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize("name", LETTERS)
def test_templates__each__can_be_looked_at(platform, apex, name):
    assert f'href="/dev/mails/{name}/"' in apex.get("/dev/mails/").content.decode()
    assert f'<iframe src="/dev/mails/{name}/html/"' in apex.get(f"/dev/mails/{name}/").content.decode()
    assert apex.get(f"/dev/mails/{name}/html/").content.decode() == LETTERS[name].composed().html


@pytest.mark.parametrize(
    "path", ["/dev/inbox/none/", "/dev/inbox/none/html/", "/dev/mails/none/", "/dev/mails/x/html/"]
)
def test_pages__of_a_mail_that_does_not_exist__are_not_found(platform, apex, path):
    assert apex.get(path).status_code == 404


def test_pages__on_a_tenants_host__do_not_exist(acme):
    client = Client(HTTP_HOST=acme.host, raise_request_exception=False)

    assert client.get("/dev/mails/").status_code == 404
