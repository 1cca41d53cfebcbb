"""Links that do not work: used, old, withdrawn, foreign, made up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import Invitation
from apps.accounts.services import invitations
from apps.core import clocks
from apps.tenancy.context import control
from tests.support import servers
from tests.support.factories import Organization, add_person

from .mailbox import (
    API,
    GUEST,
    NEW_PASSWORD,
    accept,
    anonymous,
    invite,
    is_member,
    link_in,
    post,
    program,
)


def assert_void(organization: Organization, token: str) -> None:
    page, api = anonymous(organization).get(f"/invitation/{token}/"), accept(organization, token)
    assert (page.status_code, api.status_code, api.json()["code"]) == (403, 403, "invitation_refused")


def test_invitation__used__is_void(home):
    token = invitations.make_token(invite(home))
    accept(home, token)

    assert_void(home, token)


def test_invitation__on_a_foreign_host__is_void(home, foreign):
    token = invitations.make_token(invite(home))

    assert_void(foreign, token)
    assert not is_member(foreign)
    assert accept(home, token).status_code == 201


def test_invitation__after_seven_days__is_void_and_can_be_made_again(home):
    row = invite(home)
    assert timedelta(days=7) - (row.expires_at - timezone.now()) < timedelta(minutes=1)
    with control("let time pass"):
        Invitation.objects.filter(id=row.id).update(expires_at=clocks.over())

    assert_void(home, invitations.make_token(row))
    again = invite(home)
    assert accept(home, invitations.make_token(again)).status_code == 201


def test_invitation__sent_again__voids_the_link_before(home, postman):
    client = program(home, home.owner)
    row = post(client, "/invitations", email=GUEST, role="member").json()
    first = link_in(postman.deliver(home)[0]).split("/")[2]

    assert post(client, f"/invitations/{row['id']}/resend").status_code == 200
    second = link_in(postman.deliver(home)[0]).split("/")[2]

    assert_void(home, first)
    assert accept(home, second).status_code == 201


def test_invitation__sent_again_before_the_first_mail_went_out__mails_the_newer_link_only(home, postman):
    row = invite(home)
    invitations.resend(actor=home.subject, invitation_id=row.id)

    assert len(postman.deliver(home)) == 1


def test_invitation__revoked__is_void_and_gone(home, postman):
    client = program(home, home.owner)
    row = invite(home)

    assert client.delete(f"{API}/invitations/{row.id}").status_code == 204

    assert_void(home, invitations.make_token(row))
    assert client.get(f"{API}/invitations/{row.id}").status_code == 404
    assert post(client, f"/invitations/{row.id}/resend").status_code == 404
    assert postman.deliver(home) == []


def test_invitation__of_an_owner__is_revoked_by_owners_only(home):
    row = invite(home, role="owner")

    refused = program(home, add_person(home, "admin")).delete(f"{API}/invitations/{row.id}")
    revoked = program(home, home.owner).delete(f"{API}/invitations/{row.id}")

    assert (refused.status_code, revoked.status_code) == (403, 204)


def test_invitation__accepted_by_page__is_recorded_as_a_sign_in(home):
    guest = anonymous(home)

    guest.post(f"/invitation/{invitations.make_token(invite(home))}/", {"password": NEW_PASSWORD, "name": "Guest"})

    assert guest.get("/").status_code == 200
    events = program(home, home.owner).get(f"{API}/audit/events?action=session").json()["results"]
    assert [event["action"] for event in events][1] == "session.started"


@pytest.mark.parametrize("token", ["x", "0" * 32 + "." + "0" * 64, "%00", "a" * 200])
def test_invitation__made_up__is_void(acme, token):
    assert anonymous(acme).get(f"/invitation/{token}/").status_code in (400, 403, 404)
    assert accept(acme, token).status_code in (400, 403)


def test_invitation__for_another_address__is_told_by_its_token(home):
    """A token belongs to one invitation: that of a colleague's does not open one's own."""
    own, other = invite(home, GUEST, "viewer"), invite(home, "other@example.com", "admin")
    mixed = f"{other.id.hex}.{invitations.make_token(own).split('.')[1]}"

    assert_void(home, mixed)


def test_invitation__stored__keeps_no_secret(home, postman):
    token = invitations.make_token(invite(home))
    secret = token.split(".")[1]
    with servers.as_operator() as connection:
        tables = ("public.accounts_invitation", "public.audit_controlevent", "platform.outbox")
        kept = [connection.execute(f"SELECT t::text FROM {table} t").fetchall() for table in tables]

    assert secret not in str(kept)
    assert GUEST in str(kept)
