"""API keys, profile, security and the organization's settings, as pages."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.accounts.models import ApiKey, Session
from apps.accounts.roles import Assigned
from apps.accounts.services import api_keys, members, people, roles
from apps.projects.models import CustomField
from apps.projects.services import custom_fields
from apps.tenancy.context import control
from apps.tenants.selectors import profile_of
from tests.support.clients import ME, Program, issue, program_of
from tests.support.factories import Organization, add_person
from tests.support.pictures import png

HTMX = {"HX-Request": "true"}
PNG = png()
PASSWORD = "quite another password, longer"
SETTINGS = {"name": "Acme & Co", "locale": "de", "time_zone": "Europe/Berlin", "brand_name": "", "brand_color": ""}


@pytest.fixture
def browser(home, sign_in) -> Client:
    return sign_in(home)


def names_field(response: Any, field: str) -> bool:
    return response.status_code == 422 and f'id="id_{field}_error"' in response.content.decode()


# -- Who sees what -----------------------------------------------------------------------------------------------

FOR_EVERYBODY = ["/profile/", "/security/"]
FOR_ADMINS = ["/api-keys/", "/settings/", "/audit/"]


@pytest.mark.parametrize(("role", "count"), [("owner", 5), ("admin", 5), ("member", 2), ("viewer", 2)])
def test_navigation__leads_to_the_pages_that_one_may_see(acme, sign_in, role, count):
    client = sign_in(acme, add_person(acme, role))

    overview = client.get("/").content.decode()

    shown = [path for path in [*FOR_EVERYBODY, *FOR_ADMINS] if f'href="{path}"' in overview]
    assert shown == [*FOR_EVERYBODY, *FOR_ADMINS][:count]
    for path in [*FOR_EVERYBODY, *FOR_ADMINS]:
        assert client.get(path).status_code == (200 if path in shown else 403)


@pytest.mark.parametrize("path", [*FOR_EVERYBODY, *FOR_ADMINS, "/settings/fields/", "/settings/danger/", "/brand/logo"])
def test_pages__of_nobody__lead_to_the_sign_in_page(acme, path):
    response = Client(HTTP_HOST=acme.host).get(path)

    assert (response.status_code, response["Location"].split("?")[0]) == (302, "/sign-in/")


def test_checklist__has_the_colors_until_there_are_some(acme, browser_of_acme):
    assert b"Choose your colors</a>" in browser_of_acme.get("/").content

    browser_of_acme.post("/settings/", {**SETTINGS, "locale": "en", "brand_color": "#ff0000"})

    assert b"<s>Choose your colors</s>" in browser_of_acme.get("/").content


@pytest.fixture
def browser_of_acme(acme, sign_in) -> Client:
    return sign_in(acme)


TABS = {"/settings/": "General", "/settings/fields/": "Project fields", "/settings/danger/": "Danger zone"}


@pytest.mark.parametrize(
    ("method", "path", "current"), [*(("get", path, path) for path in TABS), ("post", "/settings/logo/", "/settings/")]
)
def test_settings__on_each_tab__say_which_it_is(acme, browser_of_acme, method, path, current):
    page = getattr(browser_of_acme, method)(path).content.decode()

    tabs = re.search(r'<nav class="tabs .*?</nav>', page, re.DOTALL)[0]  # type: ignore[index]
    assert dict(re.findall(r'href="([^"]+)"[^>]*>([^<]+)</a>', tabs)) == TABS
    assert re.findall(r'href="([^"]+)" aria-current="page"', tabs) == [current]


# -- API keys ----------------------------------------------------------------------------------------------------


def test_key__made_on_the_page__works_and_is_shown_once(home, browser):
    created = browser.post("/api-keys/new/", {"name": "Robot", "scopes": ["projects:read"], "expiry": "30"})
    secret = re.search(r'value="(tnk_[^"]+)"', created.content.decode())

    assert secret
    assert Program(home.host, secret[1]).get("projects").status_code == 200
    assert "no-store" in created["Cache-Control"]
    listing = browser.get("/api-keys/").content.decode()
    assert "Robot" in listing
    assert secret[1] not in listing
    with home.inside():
        key = ApiKey.objects.get()
    assert key.expires_at is not None
    assert (key.expires_at - key.created_at).days in (29, 30)


def test_key__without_expiry__never_expires(home, browser):
    browser.post("/api-keys/new/", {"name": "Robot", "scopes": ["projects:read"], "expiry": "never"})

    with home.inside():
        assert ApiKey.objects.get().expires_at is None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\x07b"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["x"]}, "scopes"),
        ({"expiry": "7000"}, "expiry"),
        ({"expiry": ""}, "expiry"),
    ],
)
def test_key__with_wrong_input__names_the_field(home, browser, wrong, field):
    page = browser.post("/api-keys/new/", {"name": "Robot", "scopes": ["projects:read"], "expiry": "30", **wrong})

    assert names_field(page, field)
    with home.inside():
        assert not ApiKey.objects.exists()


def test_key__of_somebody_with_few_rights__has_no_more_than_they(acme, sign_in):
    person = add_person(acme)
    role = roles.create_role(actor=acme.subject, name="Keys", permissions=["keys:manage", "projects:read"])
    members.change_role(actor=acme.subject, member_id=person.membership.id, role=Assigned("custom", role))
    client = sign_in(acme, person)

    page = client.get("/api-keys/new/").content.decode()
    refused = client.post("/api-keys/new/", {"name": "Robot", "scopes": ["users:manage"], "expiry": "30"})

    assert set(re.findall(r'name="scopes" value="([^"]+)"', page)) == {"keys:manage", "projects:read"}
    assert names_field(refused, "scopes")


def test_key__revoked_on_the_page__is_refused_from_then_on(home, browser):
    key, secret = api_keys.create_api_key(actor=home.subject, name="Robot", scopes=["projects:read"])

    asked = browser.get(f"/api-keys/{key.id}/revoke/")
    done = browser.post(f"/api-keys/{key.id}/revoke/", follow=True)

    assert b"Revoke \xe2\x80\x9cRobot\xe2\x80\x9d?" in asked.content
    assert b"is revoked." in done.content
    assert Program(home.host, secret).get("projects").status_code == 401
    assert browser.post(f"/api-keys/{key.id}/revoke/").status_code == 404


def test_key__revoked_in_a_dialog__leads_back_to_the_list(home, browser):
    key, _ = api_keys.create_api_key(actor=home.subject, name="Robot", scopes=["projects:read"])

    response = browser.post(f"/api-keys/{key.id}/revoke/", headers=HTMX)

    assert (response.status_code, response["HX-Redirect"]) == (204, "/api-keys/")


def test_key__of_another_organization__is_not_found(home, foreign, browser):
    key, secret = api_keys.create_api_key(actor=foreign.subject, name="Theirs", scopes=["projects:read"])

    assert browser.post(f"/api-keys/{key.id}/revoke/").status_code == 404
    assert Program(foreign.host, secret).get("projects").status_code == 200


@pytest.mark.parametrize("count", [1, 20])
def test_keys__however_many__take_as_many_queries(acme, sign_in, count, django_assert_max_num_queries):
    client = sign_in(acme)
    for number in range(count):
        api_keys.create_api_key(actor=acme.subject, name=f"Key {number}", scopes=["projects:read"])

    with django_assert_max_num_queries(10):
        assert client.get("/api-keys/").status_code == 200


# -- Profile -----------------------------------------------------------------------------------------------------


def test_profile__saved_on_the_page__is_what_the_api_shows(home, browser):
    page = browser.post("/profile/", {"name": "Ada", "locale": "de", "time_zone": "Europe/Berlin"}, follow=True)

    assert b"Ihr Profil ist gespeichert." in page.content
    me = program_of(home).get(ME).json()
    assert (me["name"], me["locale"], me["time_zone"]) == ("Ada", "de", "Europe/Berlin")
    assert b'<option value="Europe/Berlin" selected>' in browser.get("/profile/").content


def test_profile__with_an_unusual_language__keeps_it(home, browser):
    program_of(home).call("patch", ME, {"locale": "de-CH-1996", "time_zone": "US/Pacific"})

    page = browser.get("/profile/").content

    assert b'<option value="de-CH-1996" selected>' in page
    assert b'<option value="US/Pacific" selected>' in page


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "x" * 151}, "name"),
        ({"name": "a\x1bb"}, "name"),
        ({"locale": "x"}, "locale"),
        ({"time_zone": "Mars"}, "time_zone"),
    ],
)
def test_profile__with_wrong_input__names_the_field(home, browser, wrong, field):
    page = browser.post("/profile/", {"name": "Ada", "locale": "", "time_zone": "", **wrong})

    assert names_field(page, field)


def test_address__that_is_not_verified__can_be_sent_the_link_again(home, browser):
    assert b"Not verified" in browser.get("/profile/").content

    sent = browser.post("/profile/verification/", follow=True)
    browser.get(f"/verify-email/{people.make_verification_token(home.owner)}/")

    assert b"is on its way to" in sent.content
    assert b"Not verified" not in browser.get("/profile/").content


# -- Security ----------------------------------------------------------------------------------------------------


def test_password__changed_on_the_page__ends_all_sessions_and_is_the_one_to_sign_in_with(acme, sign_in):
    person = add_person(acme)
    client, elsewhere, program = sign_in(acme, person), sign_in(acme, person), program_of(acme, person)

    page = client.post("/security/", {"old_password": acme.password, "new_password": PASSWORD}, follow=True)

    assert page.redirect_chain[-1][0] == "/sign-in/"
    assert b"Your password is changed." in page.content
    assert elsewhere.get("/").status_code == 302
    assert program.get(ME).status_code == 401
    assert client.post("/sign-in/", {"login": person.email, "password": PASSWORD}).status_code == 302


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [("not my password at all", PASSWORD, "old_password"), ("", "short", "new_password"), ("", "", "new_password")],
)
def test_password__that_is_refused__names_the_field_and_ends_nothing(home, browser, old, new, field):
    page = browser.post("/security/", {"old_password": old or home.password, "new_password": new})

    assert names_field(page, field)
    assert PASSWORD not in page.content.decode()
    assert browser.get("/").status_code == 200


def test_password__guessed_too_often__is_not_asked_any_more(acme, sign_in):
    client = sign_in(acme, add_person(acme))
    for _ in range(10):
        client.post("/security/", {"old_password": "a wrong one that is long", "new_password": PASSWORD})

    page = client.post("/security/", {"old_password": acme.password, "new_password": PASSWORD})

    assert page.status_code == 422
    assert b"tried too often" in page.content


def test_sessions__are_listed_with_device_and_place(home, browser):
    issue(home)
    chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"
    other = Client(HTTP_HOST=home.host, HTTP_USER_AGENT=chrome)
    other.post("/sign-in/", {"login": home.owner.email, "password": home.password})

    page = other.get("/security/").content.decode()

    assert page.count("This one") == 1
    assert page.count("Browser at 127.0.0.1") == 2
    assert page.count("API client at") == 1
    assert "Chrome on Linux" in page


def test_session__ended_on_the_page__is_over(home, browser, sign_in):
    elsewhere = sign_in(home)
    mine = browser.session.session_key
    with control("look"):
        other = Session.objects.exclude(session_key=mine).get(tenant=home.tenant)

    done = browser.post(f"/security/sessions/{other.id}/end/", follow=True)

    assert b"is signed out." in done.content
    assert elsewhere.get("/").status_code == 302
    assert browser.get("/").status_code == 200


def test_session__that_is_the_current_one__leads_to_the_sign_in_page(home, browser):
    with control("look"):
        own = Session.objects.get(tenant=home.tenant)

    done = browser.post(f"/security/sessions/{own.id}/end/", follow=True)

    assert done.redirect_chain[-1][0] == "/sign-in/"
    assert browser.get("/").status_code == 302


def test_session__of_somebody_else__is_not_found(home, browser, sign_in):
    colleague = add_person(home)
    client = sign_in(home, colleague)
    with control("look"):
        theirs = Session.objects.get(tenant=home.tenant, user_id=colleague.id)

    assert browser.post(f"/security/sessions/{theirs.id}/end/").status_code == 404
    assert browser.post(f"/security/sessions/{uuid4()}/end/").status_code == 404
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_sign_out__everywhere__ends_browsers_and_programs(home, browser, sign_in, headers):
    elsewhere, program = sign_in(home), program_of(home)

    response = browser.post("/security/sign-out-everywhere/", headers=headers)

    assert response.get("Location", response.get("HX-Redirect")) == "/sign-in/"
    assert [client.get("/").status_code for client in (browser, elsewhere)] == [302, 302]
    assert program.get(ME).status_code == 401


# -- Settings ----------------------------------------------------------------------------------------------------


def test_settings__saved_on_the_page__show_everywhere(home, browser):
    done = browser.post("/settings/", {**SETTINGS, "brand_name": "Äcme", "brand_color": "#FFCC00"}, follow=True)

    assert b"Die Einstellungen sind gespeichert." in done.content
    profile = profile_of(home.tenant.id)
    assert (profile.name, profile.locale, profile.time_zone) == ("Acme & Co", "de", "Europe/Berlin")
    assert (profile.brand_name, profile.brand_color) == ("Äcme", "#ffcc00")
    assert ">Äcme</span>" in browser.get("/").content.decode()


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"locale": "klingon"}, "locale"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"brand_name": "x" * 61}, "brand_name"),
        ({"brand_color": "red"}, "brand_color"),
        ({"brand_color": "#12345g"}, "brand_color"),
    ],
)
def test_settings__with_wrong_input__name_the_field(home, browser, wrong, field):
    page = browser.post("/settings/", {**SETTINGS, **wrong})

    assert names_field(page, field)
    assert profile_of(home.tenant.id).name == home.tenant.name


def test_preview__of_a_color__shows_it_without_saving(home, browser):
    page = browser.get("/settings/", {"brand_color": "#008000", "brand_name": "Greens <b>"}, headers=HTMX)

    assert b'fill="#007f00"' in page.content or b'fill="#008000"' in page.content
    assert b"Greens &lt;b&gt;" in page.content
    assert profile_of(home.tenant.id).brand_color == ""
    assert browser.get("/settings/", {"brand_color": "url(evil)"}).status_code == 200


def test_stylesheet__of_an_organization__has_its_color_and_is_kept(home, foreign, browser):
    anybody = Client(HTTP_HOST=home.host)
    assert b"/brand.css" not in anybody.get("/sign-in/").content

    browser.post("/settings/", {**SETTINGS, "brand_color": "#0000ff"})
    address = re.search(r'href="(/brand\.css\?v=\d+)"', browser.get("/").content.decode())
    assert address
    sheet = anybody.get(address[1])

    assert address[1].encode() in anybody.get("/sign-in/").content
    assert (sheet["Content-Type"], "immutable" in sheet["Cache-Control"]) == ("text/css", True)
    assert b"--accent: light-dark(#0000ff, " in sheet.content
    assert Client(HTTP_HOST=foreign.host).get("/brand.css").content == b""
    browser.post("/settings/", {**SETTINGS, "brand_color": "#00ff00"})
    assert address[1].encode() not in browser.get("/").content


def test_logo__uploaded_and_removed__shows_in_the_navigation(home, browser):
    done = browser.post("/settings/logo/", {"file": SimpleUploadedFile("logo.png", PNG)}, follow=True)
    address = re.search(r'src="(/brand/logo\?v=\d+)" width="36"', done.content.decode())

    assert address
    picture = browser.get(address[1])
    assert (picture["Content-Type"], b"".join(picture.streaming_content)) == ("image/png", PNG)
    removed = browser.post("/settings/logo/remove/", follow=True)
    assert b"/brand/logo" not in removed.content
    assert browser.get("/brand/logo").status_code == 404


@pytest.mark.parametrize("content", [b"<svg onload=alert(1)>", b"", PNG + bytes(512 * 1024)])
def test_logo__that_is_none__names_the_field(home, browser, content):
    page = browser.post("/settings/logo/", {"file": SimpleUploadedFile("logo.png", content)})

    assert names_field(page, "file")
    assert not profile_of(home.tenant.id).has_logo


def test_danger_zone__offers_the_hand_over_to_owners_only(acme, sign_in):
    admin = sign_in(acme, add_person(acme, "admin")).get("/settings/danger/").content
    owner = sign_in(acme).get("/settings/danger/").content

    assert (b"Choose a member</a>" in owner, b"Choose a member</a>" in admin) == (True, False)
    assert b'href="/members/leave/"' in admin


# -- Fields of projects ------------------------------------------------------------------------------------------


def fields(organization: Organization) -> list[tuple[str, str, bool, list[str]]]:
    with organization.inside():
        return list(CustomField.objects.values_list("key", "label", "required", "choices"))


def test_field__added_changed_and_removed__on_the_pages(home, browser):
    stage = {"key": "stage", "label": "Stage", "kind": "choice", "choices": "Idea\r\n\r\n Plan \r\nIdea"}
    browser.post("/settings/fields/new/", stage)
    assert fields(home) == [("stage", "Stage", False, ["Idea", "Plan"])]
    with home.inside():
        address = f"/settings/fields/{CustomField.objects.get().id}/"

    assert b">\nIdea\nPlan</textarea>" in browser.get(address).content
    browser.post(address, {"label": "Phase", "required": "on", "choices": "Plan"})
    assert fields(home) == [("stage", "Phase", True, ["Plan"])]

    browser.post(f"{address}delete/")
    assert fields(home) == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"key": "Cost Center"}, "key"),
        ({"key": "taken"}, "key"),
        ({"label": ""}, "label"),
        ({"label": "a\x1bb"}, "label"),
        ({"kind": "choice", "choices": "a\x1bb"}, "choices"),
        ({"kind": "money"}, "kind"),
        ({"kind": "choice"}, "choices"),
        ({"choices": "One"}, "choices"),
        ({"kind": "choice", "choices": "x" * 81}, "choices"),
    ],
)
def test_field__with_wrong_input__names_what_is_wrong(home, browser, wrong, field):
    with home.inside():
        custom_fields.define_custom_field(actor=home.subject, key="taken", label="Taken", kind="text")

    page = browser.post("/settings/fields/new/", {"key": "cost", "label": "Cost", "kind": "number", **wrong})

    assert names_field(page, field)
    assert [key for key, *_ in fields(home)] == ["taken"]


def test_field__saved_in_a_dialog__leads_back_to_the_list(home, browser):
    content = {"key": "cost", "label": "Cost", "kind": "number"}

    response = browser.post("/settings/fields/new/", content, headers=HTMX)

    assert (response.status_code, response["HX-Redirect"]) == (204, "/settings/fields/")


def test_field__of_another_organization__is_not_found(home, foreign, browser):
    with foreign.inside():
        field = custom_fields.define_custom_field(actor=foreign.subject, key="cost", label="Cost", kind="number")

    for path in (f"/settings/fields/{field.id}/", f"/settings/fields/{field.id}/delete/"):
        assert browser.get(path).status_code == 404
        assert browser.post(path, {"label": "Mine"}).status_code == 404
    assert fields(foreign) == [("cost", "Cost", False, [])]
