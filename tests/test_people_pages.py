"""The pages for members, invitations and roles."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import CustomRole, Invitation, Membership, User
from apps.accounts.permissions import ALL, AREAS, by_area
from apps.accounts.roles import Assigned
from apps.accounts.services import invitations, members, roles
from apps.tenancy.context import control
from tests.clients import membership_of
from tests.factories import Organization, add_person

PAGES = {
    "/members/": "everybody",
    "/members/leave/": "everybody",
    "/roles/": "everybody",
    "/invitations/": "users:manage",
    "/invitations/new/": "users:manage",
    "/roles/new/": "roles:manage",
}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def browser(acme, sign_in) -> Client:
    return sign_in(acme)


def make_role(organization: Organization, name: str = "Support", *permissions: str) -> CustomRole:
    return roles.create_role(actor=organization.subject, name=name, permissions=list(permissions))


def person_with(organization: Organization, role: CustomRole) -> User:
    """A member with a role of the organization's own."""
    user = add_person(organization)
    member = membership_of(organization, user)
    members.change_role(actor=organization.subject, member_id=member.id, role=Assigned("custom", role))
    return user


def invite(organization: Organization, email: str = "guest@example.com", role: str = "member") -> Invitation:
    return invitations.invite(actor=organization.subject, email=email, role=Assigned(role))


def role_of(organization: Organization, user: User | None = None) -> str:
    return membership_of(organization, user).role_name


def open_invitations(organization: Organization) -> list[str]:
    with control("look"):
        rows = Invitation.objects.filter(tenant=organization.tenant, accepted_at=None, revoked_at=None)
        return sorted(rows.values_list("email", flat=True))


def role_names(organization: Organization) -> list[str]:
    with control("look"):
        return sorted(CustomRole.objects.filter(tenant=organization.tenant).values_list("name", flat=True))


def text(response: Any) -> str:
    return str(response.content.decode())


def queries(browser: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(path).status_code == 200
    return len(captured)


# -- who sees what -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
def test_pages__asked_by_each_role__open_and_lead_where_the_role_may_go(acme, sign_in, role):
    browser = sign_in(acme, add_person(acme, role))
    manages = role in ("owner", "admin")

    found = {path: browser.get(path).status_code for path in PAGES}
    page = text(browser.get("/members/"))

    assert found == {path: 200 if manages or need == "everybody" else 403 for path, need in PAGES.items()}
    assert ('href="/invitations/"' in page, 'href="/invitations/new/"' in page) == (manages, manages)
    assert ('href="/members/"' in page, 'href="/roles/"' in page, 'href="/members/leave/"' in page) == (True,) * 3


def test_members__listed__show_name_address_role_and_since(acme, browser):
    role = make_role(acme, "Bookkeeper")
    user = person_with(acme, role)
    member = membership_of(acme, user)
    members.update_profile(actor=acme.subject, member_id=member.id, name="Grace Hopper")

    page = text(browser.get("/members/"))

    year = str(member.created_at.year)
    for shown in ("Grace Hopper", user.email, "Bookkeeper", ">GH</span>", year, acme.owner.email):
        assert shown in page


def test_members__listed_for_an_admin__offer_nothing_with_an_owner(acme, sign_in):
    viewer, admin = add_person(acme, "viewer"), add_person(acme, "admin")

    page = text(sign_in(acme, admin).get("/members/"))

    assert f"/members/{membership_of(acme, viewer).id}/remove/" in page
    assert str(membership_of(acme).id) not in page
    assert "/ownership/" not in page


def test_members__searched__are_those_with_the_text_in_name_or_address(acme, browser):
    grace, other = add_person(acme), add_person(acme)
    members.update_profile(actor=acme.subject, member_id=membership_of(acme, grace).id, name="Grace Hopper")

    by_name, by_address = text(browser.get("/members/?q=hopp")), text(browser.get("/members/", {"q": other.email}))
    nobody = browser.get("/members/?q=%00%25nobody")

    assert (grace.email in by_name, other.email in by_name) == (True, False)
    assert (grace.email in by_address, other.email in by_address) == (False, True)
    assert (nobody.status_code, "Nobody found" in text(nobody)) == (200, True)


def test_members__more_than_a_page__are_paged_with_the_search(acme, browser):
    with control("many members"):
        for number in range(27):
            user = User.objects.create(email=f"{number:02}@paged.example")
            Membership.objects.create(tenant=acme.tenant, user=user, role="viewer", email=user.email)

    first, last = text(browser.get("/members/?q=paged")), text(browser.get("/members/?q=paged&page=2"))

    assert ("24@paged.example" in first, "25@paged.example" in first) == (True, False)
    assert ("?page=2&amp;q=paged" in first, "26@paged.example" in last) == (True, True)


@pytest.mark.parametrize("path", ["/members/", "/invitations/", "/roles/", "/roles/new/"])
def test_page__with_more_rows__costs_no_more_queries(acme, browser, path):
    def furnish(number: int) -> None:
        role = make_role(acme, f"Role {number}", "projects:read")
        person_with(acme, role)
        invitations.invite(actor=acme.subject, email=f"{number}@example.com", role=Assigned("custom", role))

    furnish(1)
    browser.get(path)
    before = queries(browser, path)
    for number in range(2, 6):
        furnish(number)

    assert queries(browser, path) == before


def test_pages__with_what_others_wrote__escape_it(acme, browser):
    user = add_person(acme)
    mark = '<b>"x'
    members.update_profile(actor=acme.subject, member_id=membership_of(acme, user).id, name=mark)
    role = make_role(acme, mark)
    member = membership_of(acme, user)

    for path in ["/members/", "/roles/", f"/roles/{role.id}/", f"/roles/{role.id}/delete/", "/invitations/new/"]:
        assert mark not in text(browser.get(path)), path
    for part in ("role", "ownership", "remove"):
        assert mark not in text(browser.get(f"/members/{member.id}/{part}/")), part


@pytest.mark.parametrize("part", ["role", "ownership", "remove"])
def test_member__of_another_organization_or_unknown__is_not_found(home, foreign, sign_in, part):
    browser = sign_in(home)

    for member_id in (membership_of(foreign).id, uuid4()):
        for method in (browser.get, browser.post):
            assert method(f"/members/{member_id}/{part}/", {"role": "viewer"}).status_code == 404
    assert role_of(foreign) == "owner"


# -- members -----------------------------------------------------------------------------------------------------


def test_role__changed_by_its_page__holds_and_is_announced(home, sign_in):
    browser, user = sign_in(home), add_person(home)
    role = make_role(home, "Bookkeeper", "billing:view")
    path = f"/members/{membership_of(home, user).id}/role/"

    assert re.search(r'value="member"\s+selected', text(browser.get(path)))
    response = browser.post(path, {"role": str(role.id)}, follow=True)

    assert response.redirect_chain == [("/members/", 302)]
    assert f"The role of {user.email} is Bookkeeper now." in text(response)
    assert role_of(home, user) == "Bookkeeper"
    assert re.search(rf'value="{role.id}"\s+selected', text(browser.get(path)))


@pytest.mark.parametrize("role", ["", "king", "00000000-0000-4000-8000-000000000000"])
def test_role__that_there_is_not__is_an_error_of_the_field(acme, browser, role):
    user = add_person(acme)

    response = browser.post(f"/members/{membership_of(acme, user).id}/role/", {"role": role})

    assert (response.status_code, 'id="id_role_error"' in text(response)) == (422, True)
    assert role_of(acme, user) == "member"


def test_role__beyond_what_one_has__is_neither_offered_nor_given(acme, sign_in):
    browser, user = sign_in(acme, add_person(acme, "admin")), add_person(acme)
    make_role(acme, "Bookkeeper", "billing:manage")
    path = f"/members/{membership_of(acme, user).id}/role/"

    page, response = text(browser.get(path)), browser.post(path, {"role": "owner"})

    assert ('value="admin"' in page, 'value="owner"' in page, "Bookkeeper" in page) == (True, False, False)
    assert (response.status_code, role_of(acme, user)) == (422, "member")


def test_role__of_the_last_owner__stays(acme, browser):
    response = browser.post(f"/members/{membership_of(acme).id}/role/", {"role": "viewer"})

    assert (response.status_code, "An organization needs an owner." in text(response)) == (422, True)
    assert role_of(acme) == "owner"


def test_role__changed_in_a_dialog__tells_htmx_where_to_go(acme, browser):
    user = add_person(acme)
    path = f"/members/{membership_of(acme, user).id}/role/"

    wrong = browser.post(path, {"role": "king"}, headers=HTMX)
    done = browser.post(path, {"role": "viewer"}, headers=HTMX)

    assert (wrong.status_code, 'id="dialog-page"' in text(wrong)) == (422, True)
    assert (done.status_code, done["HX-Redirect"], role_of(acme, user)) == (204, "/members/", "viewer")


def test_member__removed_by_their_page__is_out(home, sign_in):
    user = add_person(home)
    browser, theirs = sign_in(home), sign_in(home, user)
    path = f"/members/{membership_of(home, user).id}/remove/"

    assert "Remove member" in text(browser.get(path))
    response = browser.post(path, follow=True)

    assert f"{user.email} is no longer a member." in text(response)
    assert theirs.get("/members/").status_code == 302
    assert browser.get(path).status_code == 404


def test_member__that_one_may_not_touch__stays(acme, sign_in):
    browser = sign_in(acme, add_person(acme, "admin"))

    response = browser.post(f"/members/{membership_of(acme).id}/remove/")

    assert (response.status_code, "Nobody can give or take away" in text(response)) == (422, True)
    assert role_of(acme) == "owner"


def test_ownership__transferred_by_its_page__changes_both_roles(home, sign_in):
    browser, heir = sign_in(home), add_person(home)
    path = f"/members/{membership_of(home, heir).id}/ownership/"

    assert "Transfer ownership" in text(browser.get(path))
    response = browser.post(path, follow=True)

    assert f"{heir.email} is the owner now, and you are an admin." in text(response)
    assert (role_of(home, heir), role_of(home)) == ("owner", "admin")


def test_ownership__transferred_by_somebody_who_has_none__is_refused(acme, sign_in):
    browser, heir = sign_in(acme, add_person(acme, "admin")), add_person(acme)

    response = browser.post(f"/members/{membership_of(acme, heir).id}/ownership/")

    assert (response.status_code, "Only an owner can transfer" in text(response)) == (422, True)
    assert role_of(acme, heir) == "member"


def test_organization__left_by_its_page__signs_out_with_a_word(home, sign_in):
    user = add_person(home)
    browser = sign_in(home, user)

    assert "Leave" in text(browser.get("/members/leave/"))
    response = browser.post("/members/leave/", follow=True)

    assert response.redirect_chain == [("/sign-in/", 302)]
    assert "You are no longer a member." in text(response)
    assert browser.get("/members/").status_code == 302
    with control("look"):
        assert not Membership.objects.filter(tenant=home.tenant, user=user).exists()


def test_organization__left_by_its_last_owner__says_why_not(acme, browser):
    response = browser.post("/members/leave/")

    assert (response.status_code, "An organization needs an owner." in text(response)) == (422, True)
    assert role_of(acme) == "owner"


# -- invitations -------------------------------------------------------------------------------------------------


def test_invitation__made_by_its_page__is_listed_with_role_inviter_and_expiry(home, sign_in):
    browser, role = sign_in(home), make_role(home, "Bookkeeper")

    done = browser.post("/invitations/new/", {"email": "New@Example.com", "role": str(role.id)}, follow=True)

    assert done.redirect_chain == [("/invitations/", 302)]
    assert open_invitations(home) == ["new@example.com"]
    for shown in ("on its way to new@example.com", "Bookkeeper", home.owner.email, "until"):
        assert shown in text(done)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"email": "", "role": "member"}, "email"),
        ({"email": "nonsense", "role": "member"}, "email"),
        ({"email": "a\x00@example.com", "role": "member"}, "email"),
        ({"email": "taken@example.com", "role": "member"}, "email"),
        ({"email": "new@example.com", "role": "custom"}, "role"),
        ({"email": "new@example.com"}, "role"),
    ],
)
def test_invitation__that_is_wrong__names_the_field(acme, browser, sent, field):
    invite(acme, "taken@example.com")

    response = browser.post("/invitations/new/", sent)

    assert (response.status_code, f'id="id_{field}_error"' in text(response)) == (422, True)
    assert open_invitations(acme) == ["taken@example.com"]


def test_invitation__of_a_member__names_the_field(acme, browser):
    response = browser.post("/invitations/new/", {"email": acme.owner.email, "role": "member"})

    assert (response.status_code, "This person is a member already." in text(response)) == (422, True)


def test_invitation__made_in_a_dialog__tells_htmx_where_to_go(acme, browser):
    sent = {"email": "new@example.com", "role": "viewer"}

    response = browser.post("/invitations/new/", sent, headers=HTMX)

    assert (response.status_code, response["HX-Redirect"]) == (204, "/invitations/")


def test_invitations__too_many__are_refused(acme, browser, monkeypatch):
    invitation = invite(acme)
    monkeypatch.setitem(settings.ATTEMPT_LIMITS, "invitation", (100, 1, 60))
    browser.post("/invitations/new/", {"email": "one@example.com", "role": "member"})

    form = browser.post("/invitations/new/", {"email": "two@example.com", "role": "member"})
    again = browser.post(f"/invitations/{invitation.id}/resend/")

    assert (form.status_code, "tried too often" in text(form)) == (422, True)
    assert (again.status_code, "Retry-After" in again) == (429, True)
    assert open_invitations(acme) == ["guest@example.com", "one@example.com"]


def test_invitation__sent_again__voids_the_link_before(home, sign_in):
    browser, invitation = sign_in(home), invite(home)
    link = f"/invitation/{invitations.make_token(invitation)}/"
    anonymous = Client(HTTP_HOST=home.host)
    assert anonymous.get(link).status_code == 200

    response = browser.post(f"/invitations/{invitation.id}/resend/", follow=True)

    assert "A new link is on its way to guest@example.com." in text(response)
    assert anonymous.get(link).status_code == 403
    assert browser.get(f"/invitations/{invitation.id}/resend/").status_code == 405


def test_invitation__withdrawn_by_its_page__is_void(home, sign_in):
    browser, invitation = sign_in(home), invite(home)
    path = f"/invitations/{invitation.id}/revoke/"

    assert "stops working at once" in text(browser.get(path))
    response = browser.post(path, follow=True)

    assert "The invitation of guest@example.com is withdrawn." in text(response)
    assert (open_invitations(home), browser.get(path).status_code) == ([], 404)


def test_invitation__to_become_owner__is_out_of_an_admins_reach(acme, sign_in):
    browser, invitation = sign_in(acme, add_person(acme, "admin")), invite(acme, role="owner")

    page = text(browser.get("/invitations/"))
    revoked, resent = (browser.post(f"/invitations/{invitation.id}/{part}/") for part in ("revoke", "resend"))

    assert ("guest@example.com" in page, str(invitation.id) in page) == (True, False)
    assert (revoked.status_code, resent.status_code) == (422, 403)
    assert open_invitations(acme) == ["guest@example.com"]


def test_invitation__of_another_organization__is_not_found(home, foreign, sign_in):
    browser, invitation = sign_in(home), invite(foreign)

    for part in ("revoke", "resend"):
        assert browser.post(f"/invitations/{invitation.id}/{part}/").status_code == 404
    assert "guest@example.com" not in text(browser.get("/invitations/"))
    assert open_invitations(foreign) == ["guest@example.com"]


def test_invitations__none__say_what_they_are_for(acme, browser):
    assert "No open invitations" in text(browser.get("/invitations/"))


# -- roles -------------------------------------------------------------------------------------------------------


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
    assert "Somebody has changed it since you opened it." in text(late)
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

    assert re.findall(r'value="([a-z:]+)" disabled', page) == ["billing:manage", "integrations:manage"]
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


# -- elsewhere ---------------------------------------------------------------------------------------------------


def test_first_steps__of_those_who_invite__include_a_colleague(acme, sign_in):
    owner, member = sign_in(acme), sign_in(acme, add_person(acme))
    assert "Invite a colleague" in text(owner.get("/"))
    assert "Invite a colleague" not in text(member.get("/"))


def test_search__for_a_member__leads_to_them(acme, browser):
    user = add_person(acme)

    page = text(browser.get("/search/", {"q": user.email}))
    link = re.search(r'href="(/members/\?q=[^"]+)"', page)

    assert link
    assert user.email in text(browser.get(link[1]))


def test_forms__without_javascript__are_sent_with_what_is_on_the_page(acme, sign_in):
    browser = sign_in(acme, add_person(acme, "owner"))  # the one who founded it must stay
    role, spare = make_role(acme, "Support"), make_role(acme, "Spare")
    person, heir = membership_of(acme, add_person(acme)), membership_of(acme, add_person(acme))
    first, second = invite(acme), invite(acme, "other@example.com")
    browser.handler.enforce_csrf_checks = True
    forms: list[tuple[str, dict[str, Any]]] = [
        (f"/members/{person.id}/role/", {"role": "viewer"}),
        (f"/members/{person.id}/remove/", {}),
        ("/invitations/new/", {"email": "new@example.com", "role": "member"}),
        (f"/invitations/{first.id}/resend/", {}),
        (f"/invitations/{second.id}/revoke/", {}),
        ("/roles/new/", {"name": "New"}),
        (f"/roles/{role.id}/", {"name": "Better"}),
        (f"/roles/{spare.id}/delete/", {}),
        (f"/members/{heir.id}/ownership/", {}),
        ("/members/leave/", {}),
    ]

    for path, sent in forms:
        page = text(browser.get("/invitations/" if path.endswith("resend/") else path))
        form = re.search(rf'action="{path}".*?name="csrfmiddlewaretoken" value="(\w+)"', page, re.DOTALL)
        assert form, path
        assert browser.post(path, {**sent, "csrfmiddlewaretoken": form[1]}).status_code == 302, path
        assert browser.post(path, sent).status_code in (302, 403, 404), path
