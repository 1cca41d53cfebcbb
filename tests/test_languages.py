"""In which language and time zone people are spoken to, and that all of it is translated."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.core import mail
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from apps.accounts.roles import Assigned
from apps.accounts.services import invitations, members
from apps.audit.models import ControlEvent
from apps.core import translations
from apps.core.locales import Reader
from apps.notifications.tasks import send_invitation, send_organizations, send_password_reset, send_verification
from apps.tenancy.context import control
from apps.tenants.models import Profile, Tenant
from apps.tenants.services.profiles import update_profile
from tests.support.clients import membership_of, program_of
from tests.support.factories import PASSWORD, add_project

GERMAN = "de-AT,de;q=0.9,en;q=0.5"
TEMPLATES = Path(settings.BASE_DIR, "templates")
IN_ENGLISH = ("staff/", "assurance/", "notifications/", "workspace/components.html")  # for staff and development
PAGES = [
    path for path in sorted(TEMPLATES.rglob("*.html")) if not str(path.relative_to(TEMPLATES)).startswith(IN_ENGLISH)
]
NAMES = {"", "T", "Tenantry", "CSV", "JSON lines"}  # are the same in every language
CODE = re.compile(
    r"{% blocktranslate.*?{% endblocktranslate %}|{#.*?#}|{% block (width|back|body_attributes) %}.*?{% endblock %}"
    r"|{%.*?%}|{{.*?}}|<(code|kbd)\b.*?</\2>|<meta [^>]*>",
    re.DOTALL,
)
SPOKEN = re.compile(r'\b(?:title|lead|label|parent|here|hint|placeholder|alt)="([^"]*)"')  # aria-label is one of them


def stranger(host: str, languages: str = "") -> Client:
    headers = {"Accept-Language": languages} if languages else {}
    return Client(HTTP_HOST=host, headers=headers, raise_request_exception=False)


def language(response) -> str:
    """What the page says that it is in."""
    return re.search(r'<html lang="(\w+)"', response.content.decode())[1]


def choose(organization, **profile: str) -> None:
    member = membership_of(organization)
    with organization.inside():
        members.update_profile(actor=organization.subject, member_id=member.id, **profile)


def decide(organization, **profile: str) -> None:
    update_profile(actor=organization.subject, tenant_id=organization.tenant.id, **profile)


# -- the language of a page --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("languages", "expected"), [("", "en"), (GERMAN, "de"), ("fr,it", "en"), ("*;q=x", "en")])
@pytest.mark.parametrize("path", ["/", "/sign-up/", "/sign-in/", "/find-organizations/", "/status/"])
def test_apex__asked_by_a_browser__follows_it(database, path, languages, expected):
    page = stranger("localhost", languages).get(path)

    assert language(page) == page["Content-Language"] == expected
    assert "Accept-Language" in page["Vary"]


def test_sign_in__where_the_organization_has_chosen_nothing__follows_the_browser(acme):
    page = stranger(acme.host, GERMAN).get("/sign-in/")

    assert language(page) == "de"
    assert "Anmelden" in page.content.decode()


def test_sign_in__where_the_organization_has_chosen__is_in_its_language(acme):
    decide(acme, locale="de-CH")

    page = stranger(acme.host, "en").get("/sign-in/")

    assert language(page) == "de"
    assert "Accept-Language" not in page.get("Vary", "")


@pytest.mark.parametrize(
    ("own", "organization", "expected"),
    [("de", "en", "de"), ("en", "de", "en"), ("", "de", "de"), ("de-AT", "", "de"), ("fr", "de", "de"), ("", "", "en")],
)
def test_member__signed_in__reads_their_own_language_before_the_organizations(
    acme, sign_in, own, organization, expected
):
    if organization:
        decide(acme, locale=organization)
    choose(acme, locale=own)
    browser = sign_in(acme)

    page = browser.get("/members/", headers={"Accept-Language": "it"})

    assert language(page) == expected
    assert ("Mitglieder" in page.content.decode()) == (expected == "de")


def test_member__whose_request_fails__is_told_in_their_language(acme, sign_in):
    choose(acme, locale="de")
    browser = sign_in(acme)

    missing = browser.get("/projects/00000000-0000-0000-0000-000000000000/")

    assert (missing.status_code, language(missing)) == (404, "de")
    assert "Hier ist nichts" in missing.content.decode()


def test_member__who_breaks_a_rule__reads_why_in_their_language(acme, sign_in):
    choose(acme, locale="de")
    add_project(acme, "Umzug")

    page = sign_in(acme).post("/projects/new/", {"name": "Umzug"})

    assert page.status_code == 422
    assert "Ein Projekt mit diesem Namen gibt es schon." in page.content.decode()


@pytest.mark.parametrize("path", ["/profile/", "/settings/"])
def test_language__chosen_on_a_page__is_the_language_of_what_is_said_next(acme, sign_in, path):
    form = {"name": "Ada", "locale": "de", "time_zone": "Europe/Berlin", "brand_name": "", "brand_color": ""}

    page = sign_in(acme).post(path, form, follow=True)

    assert language(page) == "de"
    assert re.search(r"(gespeichert|sind gespeichert)\.", page.content.decode())


def test_unknown_host__asked_by_a_german_browser__answers_in_german(database):
    page = stranger("nobody.localhost", GERMAN).get("/")

    assert (page.status_code, language(page)) == (404, "de")


def test_held_organization__asked_by_a_german_browser__answers_in_german(acme):
    with control("hold"):
        Tenant.objects.filter(id=acme.tenant.id).update(held_at=datetime.now(UTC), hold_reason="unpaid")

    page = stranger(acme.host, GERMAN).get("/")

    assert (page.status_code, language(page)) == (403, "de")


def test_request__answered__leaves_no_language_behind(acme, sign_in):
    choose(acme, locale="de", time_zone="Asia/Tokyo")

    sign_in(acme).get("/")

    assert translation.get_language() == "en"


@pytest.mark.parametrize("path", ["/members/", "/projects/", "/audit/", "/profile/"])
def test_page__in_german__takes_as_many_queries(acme, sign_in, path):
    browser = sign_in(acme)
    browser.get(path)

    with CaptureQueriesContext(connections["default"]) as english:
        browser.get(path)
    choose(acme, locale="de", time_zone="Asia/Tokyo")
    with CaptureQueriesContext(connections["default"]) as german:
        browser.get(path)

    assert len(german) == len(english)


def test_address_that_leads_nowhere__opened_by_a_member__looks_nobody_up(acme, sign_in):
    browser = sign_in(acme)

    with CaptureQueriesContext(connections["default"]) as queries:
        page = browser.get("/nothing-here/")

    assert page.status_code == 404
    assert not any("accounts_membership" in query["sql"] for query in queries)


def test_sign_up__in_german__founds_an_organization_that_speaks_german(database):
    form = {"organization": "Umzugshelfer", "email": "ada@umzug.example", "password": PASSWORD}

    stranger("localhost", GERMAN).post("/sign-up/", form)
    stranger("localhost", "en").post("/sign-up/", {**form, "organization": "Movers", "email": "bo@movers.example"})

    with control("read"):
        assert list(Profile.objects.values_list("tenant__name", "locale")) == [("Umzugshelfer", "de")]


# -- times and numbers -------------------------------------------------------------------------------------------


def test_audit_log__in_tokyo__shows_times_of_tokyo_and_tells_programs_utc(acme, sign_in):
    browser = sign_in(acme)
    with control("read"):
        at = ControlEvent.objects.filter(tenant_id=acme.tenant.id).latest("occurred_at").occurred_at
    iso = f'datetime="{at.astimezone(UTC).isoformat(timespec="seconds")}"'

    in_utc = browser.get("/audit/").content.decode()
    choose(acme, time_zone="Asia/Tokyo")
    in_tokyo = browser.get("/audit/").content.decode()

    assert iso in in_utc
    assert f'title="{at.astimezone(UTC):%-d %b %Y, %H:%M:%S} UTC"' in in_utc
    assert iso in in_tokyo
    assert f'title="{at.astimezone(Reader.of(("", "Asia/Tokyo")).zone):%-d %b %Y, %H:%M:%S} JST"' in in_tokyo
    assert "Asia/Tokyo" in in_tokyo


def test_audit_log__filtered_by_day_in_tokyo__means_days_of_tokyo(acme, sign_in):
    choose(acme, time_zone="Asia/Tokyo")

    page = sign_in(acme).get("/audit/?since=2026-01-02").content.decode()

    assert "since=2026-01-02T00%3A00%3A00%2B09%3A00" in page
    assert 'value="2026-01-02"' in page


def test_overview__in_german__writes_numbers_as_germans_do(acme, sign_in):
    choose(acme, locale="de")
    add_project(acme, "Umzug")

    page = sign_in(acme).get("/").content.decode()

    assert "Schön, Sie zu sehen" in page
    drawing = re.search(r'<path class="curve" d="([^"]*)"', page)[1]
    assert "," not in drawing
    assert not re.search(r'\b(x|y|x1|y1|width|height)="\d+,\d', page)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "UTC"])
def test_reader__without_a_zone_that_is_known__reads_utc(zone):
    assert str(Reader.of(("", zone)).zone) == "UTC"


# -- programs ----------------------------------------------------------------------------------------------------


def test_api__called_by_a_german__stays_english_and_utc(acme):
    choose(acme, locale="de", time_zone="Asia/Tokyo")
    program = program_of(acme)
    add_project(acme, "Umzug")

    refused = program.post("projects", {"name": "Umzug"}, accept_language="de")
    invalid = program.post("projects", {}, accept_language="de")
    projects = program.get("projects", accept_language="de").json()

    assert refused.json()["detail"] == "There already is a project with this name."
    assert invalid.json()["errors"][0]["detail"] == "This field is required."
    assert projects["results"][0]["created_at"].endswith("Z")
    assert "Content-Language" not in refused


# -- mails -------------------------------------------------------------------------------------------------------


def test_mail__to_a_member_who_reads_german__is_german_in_all_its_parts(acme):
    choose(acme, locale="de")

    with acme.inside():
        send_password_reset("reset", user_id=str(acme.owner.id))

    letter = mail.outbox[0]
    assert letter.subject == f"Neues Passwort für {acme.tenant.name} festlegen"
    assert "Wenn Sie das nicht waren" in letter.body
    assert 'lang="de"' in letter.alternatives[0][0]
    assert "Ein Passwort festlegen" in letter.alternatives[0][0]


def test_mail__to_a_member_who_chose_nothing__is_in_the_organizations_language(acme):
    decide(acme, locale="de")

    with acme.inside():
        send_verification("verify", user_id=str(acme.owner.id))

    assert mail.outbox[0].subject.startswith("Bestätigen Sie Ihre Adresse")


def test_mail__to_somebody_invited_by_a_german__is_in_the_organizations_language(acme):
    choose(acme, locale="de")
    with acme.inside():
        invitation = invitations.invite(actor=acme.subject, email="new@example.com", role=Assigned("member"))

        send_invitation("invited", invitation_id=str(invitation.id), generation=1)

    assert mail.outbox[0].subject == f"You are invited to {acme.tenant.name}"


def test_mail__with_organizations__is_in_the_language_that_one_of_them_knows(acme):
    choose(acme, locale="de")

    with control("lookup"):
        send_organizations("lookup", user_id=str(acme.owner.id))

    assert mail.outbox[0].subject == "Ihre Organisationen"


# -- the catalog -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", translations.languages())
def test_catalog__compared_with_the_code__is_up_to_date(code):
    written = translations.source_of(code).read_bytes()

    assert written == translations.written(translations.collected(code)), "run manage.py collect_messages"


@pytest.mark.parametrize("code", translations.languages())
def test_catalog__of_each_language__is_complete(code):
    assert list(translations.faults(translations.translations(code))) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_template__of_each_page__has_its_texts_marked(page):
    source = CODE.sub("", page.read_text())
    shown = [*SPOKEN.findall(source), *re.sub(r"<[^>]*>", "\n", source).splitlines()]

    texts = {re.sub(r"&\w+;|[^A-Za-z ]", "", text).strip() for text in shown}

    assert texts <= NAMES


@pytest.mark.parametrize(
    ("text", "translation"),
    [
        ("Projects", ""),
        ("%(name)s is free", "%(nam)s ist frei"),
        ("%(name)s is free", "ist frei"),
        ("<b>Free</b>", "<b>Frei"),
        ("<b>Free</b>", "<i>Frei</i>"),
        ("in {seconds} seconds", "in {sekunden} Sekunden"),
        (("%(number)s member", "%(number)s members"), ("%(number)s Mitglied",)),
        (("%(number)s member", "%(number)s members"), ("%(number)s Mitglied", "Mitglieder")),
    ],
)
def test_catalog__with_a_faulty_translation__says_so(text, translation):
    broken = translations.Catalog(locale="de")
    broken.add(text, translation)

    assert len(list(translations.faults(broken))) == 1


def test_catalog__with_an_uncertain_translation__says_so():
    broken = translations.Catalog(locale="de")
    broken.add("Projects", "Objekte", flags=["fuzzy"])

    assert list(translations.faults(broken)) == ["not translated: 'Projects'"]
