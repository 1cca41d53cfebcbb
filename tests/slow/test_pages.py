"""Every page in a real browser: light and dark, wide and narrow, with keyboard, and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from apps.accounts.models import Invitation
from apps.accounts.services import invitations, visits
from apps.tenancy.context import control
from apps.tenants.services import schema_store
from tests.support.browsing import (
    STAFF_PAGES,
    TENANT_PAGES,
    Scene,
    Visitor,
    browsing,
    employ,
    furnish,
    other_pages,
    pages,
    speak,
    visit,
)
from tests.support.factories import PASSWORD
from tests.support.serving import serving

pytestmark = pytest.mark.slow

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (390, 1280)]
STATUS = {"not-found": 404}
JOURNEY_HOME = re.compile(r"//journey-inc\.localhost:\d+/$")
PAGE_BYTES = 60_000
WEB_FONT = "font"


@pytest.fixture(scope="module")
def server(platform) -> Iterator[int]:
    with serving() as port:
        yield port


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as opened:
        yield opened


@pytest.fixture
def scene(acme) -> Scene:
    return furnish(acme)


def check(visitor: Visitor, name: str) -> list[str]:
    """What is wrong with the page that is open."""
    found = [f"{name}: {complaint}" for complaint in visitor.complaints if "404 (Not Found)" not in complaint]
    visitor.complaints.clear()
    if visitor.status != STATUS.get(name, 200):
        found.append(f"{name}: answered {visitor.status}")
    if visitor.overflow:
        found.append(f"{name}: {visitor.overflow} px too wide")
    for violation in Axe().run(visitor.page, options=WCAG).response["violations"]:
        nodes = [node["html"][:120] for node in violation["nodes"][:3]]
        found.append(f"{name}: {violation['id']} {nodes}")
    return found


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_pages__in_each_theme_and_width__are_accessible_and_in_shape(scene, browser, server, scheme, width):
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}, "reduced_motion": "reduce"}
    wrong: list[str] = []
    stranger, owner = visit(browser, server, **options), visit(browser, server, **options)
    owner.sign_in(scene.organization)

    for name, host, path, is_signed_in in (*pages(scene), *other_pages(scene)):
        visitor = owner if is_signed_in else stranger
        visitor.go(host, path)
        wrong += check(visitor, name)

    assert wrong == []


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_staff_pages__in_each_theme_and_width__are_accessible_and_in_shape(scene, browser, server, scheme, width):
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}, "reduced_motion": "reduce"}
    stranger, visitor = visit(browser, server, **options), visit(browser, server, **options)
    stranger.go("localhost", "/admin/login/")
    wrong = check(stranger, "staff-sign-in")
    visitor.sign_in_as_staff(employ(scene).email)

    for name, address in STAFF_PAGES.items():
        visitor.go("localhost", address(scene))
        wrong += check(visitor, name)

    assert wrong == []


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_pages__on_a_support_visit__are_accessible_and_in_shape(scene, browser, server, scheme, width):
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}, "reduced_motion": "reduce"}
    visitor, host = visit(browser, server, **options), scene.organization.host
    code = visits.grant(tenant_id=scene.organization.tenant.id, user_id=employ(scene).pk, reason="Ticket 4711")
    visitor.go(host, f"/staff-visit/?code={code}")
    wrong = check(visitor, "visit-overview")

    for name in ("projects", "project", "members", "roles", "audit-log", "not-found"):
        visitor.go(host, TENANT_PAGES[name](scene))
        assert visitor.page.get_by_text("visiting", exact=False).count(), name
        wrong += check(visitor, name)

    assert wrong == []


def test_pages__in_german_on_a_phone__are_accessible_and_in_shape(scene, browser, server):
    options = {"viewport": {"width": 390, "height": 900}, "reduced_motion": "reduce", "locale": "de-DE"}
    wrong: list[str] = []
    stranger, owner = visit(browser, server, **options), visit(browser, server, **options)
    speak(scene.organization, "de")
    owner.sign_in(scene.organization)

    for name, host, path, is_signed_in in (*pages(scene), *other_pages(scene)):
        visitor = owner if is_signed_in else stranger
        visitor.go(host, path)
        wrong += check(visitor, name)
        if not path.startswith("/dev/") and visitor.page.get_attribute("html", "lang") != "de":
            wrong.append(f"{name}: is not in German")

    assert wrong == []


def test_journey__from_sign_up_to_removal__is_seen_by_both_sides(acme, browser, server):
    schema_store.replenish()
    owner, guest = visit(browser, server), visit(browser, server)

    owner.go("localhost", "/sign-up/")
    owner.page.fill("[name=organization]", "Journey Inc")
    owner.page.fill("[name=email]", "founder@journey.example")
    owner.page.fill("[name=password]", PASSWORD)
    owner.page.click("main button[type=submit]")
    owner.page.wait_for_url(JOURNEY_HOME)
    owner.page.get_by_role("link", name="Create a project").click()
    owner.page.fill("[name=name]", "First")
    owner.page.get_by_role("button", name="Create project").click()
    owner.page.wait_for_url("**/projects/*-*/")
    owner.page.set_input_files("[name=file]", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"content"})
    owner.page.get_by_role("button", name="Upload").click()
    owner.page.wait_for_selector("text=a.txt is uploaded")

    owner.go("journey-inc.localhost", "/invitations/new/")
    owner.page.fill("[name=email]", "guest@journey.example")
    owner.page.select_option("[name=role]", "viewer")
    owner.page.locator("#dialog-page button[type=submit]").click()
    owner.page.wait_for_url("**/invitations/")
    guest.go("journey-inc.localhost", f"/invitation/{_invited('guest@journey.example')}/")
    guest.page.fill("[name=name]", "Guest")
    guest.page.fill("[name=password]", PASSWORD)
    guest.page.click("main button[type=submit]")
    guest.page.wait_for_url(JOURNEY_HOME)
    assert guest.page.get_by_role("link", name="New project").count() == 0

    owner.go("journey-inc.localhost", "/members/")
    choose(owner, "Guest", "Change role")
    owner.page.select_option("dialog [name=role]", "member")
    owner.page.locator("dialog button[type=submit]").click()
    expect(owner.page.locator("#toasts")).to_contain_text("Guest")
    guest.page.reload()
    assert guest.page.get_by_role("link", name="New project").count() > 0

    owner.go("journey-inc.localhost", "/audit/")
    for action in ("member.role_changed", "invitation.accepted", "document.added", "project.created"):
        assert owner.page.get_by_text(action).count() > 0, action

    owner.go("journey-inc.localhost", "/members/")
    choose(owner, "Guest", "Remove")
    owner.page.locator("dialog button[type=submit]").click()
    expect(owner.page.locator("#toasts")).to_contain_text("Guest")
    guest.page.reload()
    assert "/sign-in/" in guest.page.url


def choose(visitor: Visitor, row: str, entry: str) -> None:
    """Open the menu of a table's row and follow an entry."""
    line = visitor.page.get_by_role("row", name=row)
    line.get_by_role("button").click()
    line.get_by_role("link", name=entry).click()


def _invited(email: str) -> str:
    with control("find an invitation"):
        return invitations.make_token(Invitation.objects.get(email=email))


def test_journey__by_keyboard_alone__reaches_a_new_project(scene, browser, server):
    visitor = visit(browser, server)
    keyboard = visitor.page.keyboard

    visitor.go(scene.organization.host, "/sign-in/")
    visitor.page.focus("[name=login]")
    keyboard.type(scene.organization.owner.email)
    keyboard.press("Tab")
    keyboard.type(PASSWORD)
    keyboard.press("Enter")
    visitor.page.wait_for_url(f"http://{scene.organization.host}:{server}/")
    keyboard.press("Control+k")
    visitor.page.wait_for_selector("#palette-field:focus")
    keyboard.type("Projects")
    visitor.page.wait_for_selector("#palette-results a:has-text('Projects')")
    keyboard.press("Enter")
    visitor.page.wait_for_url("**/projects/")
    tab_to(visitor, "New project")
    keyboard.press("Enter")
    visitor.page.wait_for_selector("dialog[open] [name=name]:focus")
    keyboard.type("By keyboard")
    keyboard.press("Enter")
    visitor.page.wait_for_url("**/projects/*-*/")

    assert visitor.page.locator("h1").inner_text() == "By keyboard"


def test_refusal__of_what_a_dialog_asked_for__is_told_over_it(scene, browser, server):
    visitor = visit(browser, server)
    visitor.sign_in(scene.organization)
    visitor.go(scene.organization.host, "/projects/")
    visitor.page.get_by_role("link", name="New project").click()
    visitor.page.fill("dialog [name=name]", "Too late")
    with control("become a viewer"):
        scene.organization.owner.memberships.update(role="viewer")

    visitor.page.get_by_role("button", name="Create project").click()

    message = visitor.page.get_by_role("alert")
    expect(message).to_contain_text("Create and change projects and documents")
    expect(message).to_contain_text("projects:write")
    message.get_by_role("button", name="Close").click()
    expect(message).to_have_count(0)
    expect(visitor.page.locator("dialog [name=name]")).to_have_value("Too late")


def tab_to(visitor: Visitor, text: str) -> None:
    for _ in range(40):
        visitor.page.keyboard.press("Tab")
        if text in (visitor.page.evaluate("document.activeElement.textContent") or ""):
            return
    raise AssertionError(f"the Tab key does not reach {text}")


def test_journey__without_javascript__does_the_same(scene, browser, server):
    visitor = visit(browser, server, java_script_enabled=False)
    page = visitor.page

    visitor.sign_in(scene.organization)
    page.get_by_role("link", name="New project").click()
    page.fill("[name=name]", "Hiring plan")
    page.get_by_role("button", name="Create project").click()
    assert page.locator(".error").inner_text() == "There already is a project with this name."
    page.fill("[name=name]", "Without scripts")
    page.get_by_role("button", name="Create project").click()
    page.set_input_files("[name=file]", {"name": "b.txt", "mimeType": "text/plain", "buffer": b"content"})
    page.get_by_role("button", name="Upload").click()
    assert page.get_by_role("row", name="b.txt").count() == 1
    page.get_by_role("link", name="Sharing").click()
    page.get_by_role("link", name="Share").click()
    page.select_option("[name=person]", index=1)
    page.get_by_role("button", name="Share").click()

    assert page.locator("main li").count() >= 2


@pytest.mark.parametrize("name", ["audit-log", "members", "project", "roles"])
def test_page__printed__is_what_it_says_in_black_on_white(scene, browser, server, name):
    visitor = visit(browser, server, color_scheme="dark", viewport={"width": 680, "height": 960})
    visitor.sign_in(scene.organization)
    visitor.go(scene.organization.host, TENANT_PAGES[name](scene))

    visitor.page.emulate_media(media="print")

    assert visitor.page.locator("h1").is_visible()
    assert visitor.page.locator("table tbody tr").first.is_visible()
    for shell in ("nav", ".btn", "button", "header.sticky", "input:not([type=hidden])", "#toasts"):
        assert visitor.page.locator(f"{shell} >> visible=true").count() == 0, shell
    assert _style(visitor, "body", "backgroundColor") == "rgb(255, 255, 255)"
    assert {_style(visitor, tag, "color") for tag in ("h1", "table tbody tr")} == {"rgb(0, 0, 0)"}
    assert visitor.overflow == 0


def _style(visitor: Visitor, selector: str, name: str) -> str:
    element = visitor.page.locator(selector).first
    return str(element.evaluate("(element, name) => getComputedStyle(element)[name]", name))


@pytest.mark.parametrize("name", ["overview", "projects", "project"])
def test_page__fetched_for_the_first_time__is_small(scene, browser, server, name):
    visitor = visit(browser, server)
    visitor.sign_in(scene.organization)
    visitor.page.context.clear_cookies(name="nothing")
    session = visitor.page.context.new_cdp_session(visitor.page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    kinds: dict[str, str] = {}
    sizes: dict[str, float] = {}
    session.on("Network.responseReceived", lambda event: kinds.update({event["requestId"]: event["type"].lower()}))
    session.on("Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}))

    visitor.go(scene.organization.host, TENANT_PAGES[name](scene))

    assert sum(size for request, size in sizes.items() if kinds.get(request) != WEB_FONT) <= PAGE_BYTES


def test_list__searched_by_htmx__does_not_move_what_is_around(scene, browser, server):
    visitor = visit(browser, server)
    visitor.sign_in(scene.organization)
    visitor.go(scene.organization.host, "/projects/")
    visitor.page.evaluate(
        "new PerformanceObserver(l => l.getEntries().forEach(e => { window.shift = (window.shift || 0) + e.value }))"
        ".observe({type: 'layout-shift', buffered: true})"
    )

    visitor.page.locator("#search").press_sequentially("hiring")
    expect(visitor.page.locator("#list tbody tr")).to_have_count(1)

    assert visitor.page.evaluate("window.shift || 0") < 0.02
