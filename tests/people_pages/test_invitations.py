"""Invitations, made and withdrawn by page."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client

from apps.accounts.models import Invitation
from apps.accounts.services import invitations
from apps.tenancy.context import control
from tests.support.factories import Organization, add_person

from .people import HTMX, invite, make_role, text


def open_invitations(organization: Organization) -> list[str]:
    with control("look"):
        rows = Invitation.objects.filter(tenant=organization.tenant, accepted_at=None, revoked_at=None)
        return sorted(rows.values_list("email", flat=True))


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
    monkeypatch.setitem(settings.ATTEMPT_LIMITS, "invitation", {"account": 1, "seconds": 60})
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


def test_invitation__sent_again_in_place__shows_its_row_and_says_so(home, sign_in):
    browser, invitation = sign_in(home), invite(home)

    response = browser.post(f"/invitations/{invitation.id}/resend/", headers={"HX-Request": "true"})

    assert response.status_code == 200
    assert response.content.decode().strip().startswith("<tr")
    assert "guest@example.com" in text(response)
    assert 'hx-swap-oob="beforeend:#toasts"' in response.content.decode()
    assert "A new link is on its way to guest@example.com." in text(response)


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
