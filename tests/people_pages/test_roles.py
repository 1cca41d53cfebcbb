"""The organization's roles, made and changed by page."""

from __future__ import annotations

import re
from html import unescape

import pytest

from apps.access.permissions import ALL, AREAS, by_area
from apps.accounts.models import CustomRole
from apps.tenancy.context import control
from tests.support.factories import Organization, add_person

from .people import make_role, person_with, text


def role_names(organization: Organization) -> list[str]:
    with control("look"):
        return sorted(CustomRole.objects.filter(tenant=organization.tenant).values_list("name", flat=True))


def test_areas__of_permissions__cover_each_of_them():
    assert {permission.partition(":")[0] for permission in ALL} == set(AREAS)
    assert {permission for found in by_area().values() for permission in found} == ALL


def test_roles__as_a_matrix__show_what_each_allows_and_how_many_have_it(acme, browser):
    role = make_role(acme, "Bookkeeper", "billing:view", "billing:manage")
    person_with(acme, role)

    page = text(browser.get("/roles/"))
    row = page.partition("Change subscription and payment method")[2].partition("</tr>")[0]

    assert re.findall(r">(Yes|No)<", row) == ["Yes", "No", "No", "No", "Yes"]
    assert f'href="/roles/{role.id}/"' in page
    assert re.findall(r">(\d+ members?)<", page) == ["1 member", "0 members", "0 members", "0 members", "1 member"]


def test_roles__for_those_who_do_not_manage_them__are_read_only(acme, sign_in):
    role = make_role(acme, "Bookkeeper")

    page = text(sign_in(acme, add_person(acme)).get("/roles/"))

    assert ("Bookkeeper" in page, str(role.id) in page, "/roles/new/" in page) == (True, False, False)


def test_role__made_changed_and_deleted__by_pages(home, sign_in):
    browser = sign_in(home)

    made = browser.post("/roles/new/", {"name": "Support", "permissions": ["projects:read", "audit:view"]}, follow=True)
    assert (made.redirect_chain, role_names(home)) == ([("/roles/", 302)], ["Support"])
    assert "The role Support is ready" in text(made)
    with control("look"):
        role = CustomRole.objects.get(tenant=home.tenant)
    path = f"/roles/{role.id}/"

    page = text(browser.get(path))
    assert re.findall(r'value="([a-z:]+)" checked', page) == ["projects:read", "audit:view"]
    browser.post(path, {"name": "Help", "permissions": ["projects:read"]})
    with control("look"):
        role.refresh_from_db()
    assert (role.name, role.permissions) == ("Help", ["projects:read"])

    assert "Delete the role Help?" in text(browser.get(f"{path}delete/"))
    assert browser.post(f"{path}delete/").status_code == 302
    assert role_names(home) == []


def test_role__changed_by_two_at_once__is_not_overwritten_unseen(acme, browser):
    role = make_role(acme, "Support", "projects:read")
    path = f"/roles/{role.id}/"
    seen = re.search(r'name="expected" value="([^"]+)"', text(browser.get(path)))
    assert seen
    expected = unescape(seen[1])
    assert browser.post(path, {"name": "Help", "permissions": ["audit:view"], "expected": expected}).status_code == 302

    late = browser.post(path, {"name": "Aid", "permissions": ["billing:view"], "expected": expected})

    assert late.status_code == 422
    assert "Somebody has changed this since you opened it" in text(late)
    assert 'value="Aid"' in text(late)
    with control("look"):
        role.refresh_from_db()
    assert (role.name, role.permissions) == ("Help", ["audit:view"])


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"name": "a\x07b"}, "name"),
        ({"name": "Taken"}, "name"),
        ({"name": "Owner"}, "name"),
        ({"name": "New", "permissions": ["projects:burn"]}, "permissions"),
    ],
)
def test_role__that_is_wrong__names_the_field(acme, browser, sent, field):
    make_role(acme, "Taken")
    other = make_role(acme, "Other")

    for path in ("/roles/new/", f"/roles/{other.id}/"):
        response = browser.post(path, sent)
        assert (response.status_code, f'id="id_{field}_error"' in text(response)) == (422, True), path
    assert role_names(acme) == ["Other", "Taken"]


def test_role__with_more_than_one_has__can_be_neither_made_nor_touched(acme, sign_in):
    browser, role = sign_in(acme, add_person(acme, "admin")), make_role(acme, "Bookkeeper", "billing:manage")
    beyond = {"name": "New", "permissions": ["billing:manage"]}

    page = text(browser.get("/roles/new/"))
    made, changed = browser.post("/roles/new/", beyond), browser.post(f"/roles/{role.id}/", {"name": "Mine"})
    deleted = browser.post(f"/roles/{role.id}/delete/")

    assert re.findall(r'value="([a-z:]+)"\s+disabled', page) == ["billing:manage", "integrations:manage"]
    for response in (made, changed):
        assert (response.status_code, 'id="id_permissions_error"' in text(response)) == (422, True)
    assert (deleted.status_code, role_names(acme)) == (422, ["Bookkeeper"])


def test_role__in_use__says_why_it_stays(acme, browser):
    role = make_role(acme, "Bookkeeper")
    person_with(acme, role)

    response = browser.post(f"/roles/{role.id}/delete/")

    assert (response.status_code, "Members or invitations still have this role." in text(response)) == (422, True)
    assert role_names(acme) == ["Bookkeeper"]


def test_role__of_another_organization__is_not_found(home, foreign, sign_in):
    browser, role = sign_in(home), make_role(foreign, "Secret")

    for path in (f"/roles/{role.id}/", f"/roles/{role.id}/delete/"):
        assert (browser.get(path).status_code, browser.post(path, {"name": "Mine"}).status_code) == (404, 404)
    assert "Secret" not in text(browser.get("/roles/"))
    assert role_names(foreign) == ["Secret"]
