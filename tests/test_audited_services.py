"""Every service that writes records what it did, in the transaction in which it does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.accounts.errors import TokenRefused
from apps.accounts.keyset import keyset
from apps.accounts.models import SigningKey, SupportVisit, TokenFamily
from apps.accounts.roles import Assigned
from apps.accounts.services import api_keys, handoff, lookup, members, people, sessions, signing_keys, tokens, visits
from apps.audit.actors import SYSTEM
from apps.audit.models import ControlEvent
from apps.projects.services import projects
from apps.staff import services as staff
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from apps.tenants.services import lifecycle, profiles
from tests.support.audited_acts import (
    Act,
    Write,
    accept,
    add_member,
    appointed,
    change_password,
    change_role,
    close_pool,
    create_bulk,
    delete_document,
    delete_field,
    delete_project,
    delete_role,
    dismiss,
    ensure_organization,
    field,
    in_control,
    invitation,
    leave,
    membership_of,
    own_role,
    redeem,
    refresh,
    release,
    remove_logo,
    remove_member,
    remove_probe,
    request_finish,
    request_retry,
    resend,
    retry_event,
    revoke_api_key,
    revoke_invitation,
    revoke_session,
    save_person,
    set_logo,
    set_password,
    set_replica,
    share,
    sign_out,
    sign_out_everywhere,
    sign_staff,
    sign_up,
    signed_in,
    transfer_ownership,
    unshare,
    update_field,
    update_member,
    update_project,
    update_role,
    update_settings,
    upload_document,
    verify_email,
    withdraw_all,
)
from tests.support.completeness import assert_complete
from tests.support.factories import PASSWORD, Organization
from tests.support.service_records import RecordRefused, check_event, events, everything, refuse, services


def granted(acme: Organization) -> str:
    return visits.grant(tenant_id=acme.tenant.id, user_id=appointed().pk, reason="a ticket")


def begun(acme: Organization) -> SupportVisit:
    code = granted(acme)
    with acme.inside():
        return visits.begin(code=code)


def grant_visit(acme: Organization) -> Act:
    person = appointed()
    return lambda: visits.grant(tenant_id=acme.tenant.id, user_id=person.pk, reason="a ticket")


def begin_visit(acme: Organization) -> Act:
    code = granted(acme)
    return lambda: visits.begin(code=code)


def on_visit(act: Callable[[SupportVisit], Any]) -> Callable[[Organization], Act]:
    def prepare(acme: Organization) -> Act:
        visit = begun(acme)
        return lambda: act(visit)

    return prepare


WRITES: dict[str, Write] = {
    "accounts.members.add_member": Write(add_member, "member.added", "membership"),
    "accounts.members.change_role": Write(change_role, "member.role_changed", "membership"),
    "accounts.members.update_profile": Write(update_member, "member.updated", "membership", actor="member"),
    "accounts.members.remove_member": Write(remove_member, "member.removed", "membership"),
    "accounts.members.leave": Write(leave, "member.left", "membership", actor="member"),
    "accounts.members.transfer_ownership": Write(transfer_ownership, "member.ownership_transferred", "membership"),
    "accounts.invitations.invite": Write(lambda acme: lambda: invitation(acme), "invitation.created", "invitation"),
    "accounts.invitations.resend": Write(resend, "invitation.resent", "invitation"),
    "accounts.invitations.revoke": Write(revoke_invitation, "invitation.revoked", "invitation"),
    "accounts.invitations.accept": Write(accept, "invitation.accepted", "invitation", actor="anonymous"),
    "accounts.roles.create_role": Write(lambda acme: lambda: own_role(acme), "role.created", "customrole"),
    "accounts.roles.update_role": Write(update_role, "role.updated", "customrole"),
    "accounts.roles.delete_role": Write(delete_role, "role.deleted", "customrole"),
    "accounts.people.save_person": Write(save_person, "person.created", "user", actor="anonymous", about="nobody"),
    "accounts.people.invite_person": Write(
        lambda acme: in_control(lambda: people.invite_person(email="new@example.com")),
        "person.created",
        "user",
        actor="anonymous",
        about="nobody",
    ),
    "accounts.people.request_password_reset": Write(
        lambda acme: lambda: people.request_password_reset(email=acme.owner.email),
        "password.reset_requested",
        "membership",
        actor="anonymous",
    ),
    "accounts.people.set_password": Write(set_password, "password.set", "user", actor="anonymous"),
    "accounts.people.change_password": Write(change_password, "password.changed", "user", actor="member"),
    "accounts.people.request_verification": Write(
        lambda acme: lambda: people.request_verification(user=acme.owner, actor=acme.subject),
        "email.verification_requested",
        "user",
    ),
    "accounts.people.verify_email": Write(verify_email, "email.verified", "user", actor="member"),
    "accounts.lookup.request_organizations": Write(
        lambda acme: lambda: lookup.request_organizations(email=acme.owner.email),
        "organizations.lookup_requested",
        "user",
        actor="anonymous",
        about="nobody",
    ),
    "accounts.sessions.note_sign_in": Write(
        lambda acme: lambda: sessions.note_sign_in(acme.subject), "session.started", "membership"
    ),
    "accounts.sessions.note_sign_out": Write(
        lambda acme: lambda: sessions.note_sign_out(acme.subject), "session.ended", "membership"
    ),
    "accounts.sessions.revoke_session": Write(revoke_session, "session.revoked", "membership"),
    "accounts.sessions.sign_out_everywhere": Write(sign_out_everywhere, "session.all_revoked", "membership"),
    "accounts.tokens.issue": Write(
        lambda acme: lambda: tokens.issue(membership_of(acme, acme.owner)), "session.started", "tokenfamily"
    ),
    "accounts.tokens.sign_in": Write(
        lambda acme: lambda: tokens.sign_in(email=acme.owner.email, password=PASSWORD),
        "session.started",
        "tokenfamily",
    ),
    "accounts.tokens.refresh": Write(refresh, "session.refreshed", "tokenfamily"),
    "accounts.tokens.sign_out": Write(sign_out, "session.ended", "tokenfamily"),
    "accounts.api_keys.create_api_key": Write(
        lambda acme: lambda: api_keys.create_api_key(actor=acme.subject, name="CI", scopes=["projects:read"]),
        "api_key.created",
        "apikey",
    ),
    "accounts.api_keys.revoke_api_key": Write(revoke_api_key, "api_key.revoked", "apikey"),
    "accounts.handoff.issue_handoff_code": Write(
        lambda acme: lambda: handoff.issue_handoff_code(tenant_id=acme.tenant.id, person=acme.owner),
        "handoff.issued",
        "handoffcode",
        actor="anonymous",
    ),
    "accounts.handoff.redeem_handoff_code": Write(redeem, "handoff.redeemed", "handoffcode", actor="anonymous"),
    "accounts.visits.grant": Write(grant_visit, "visit.granted", "supportvisit", actor="staff"),
    "accounts.visits.begin": Write(begin_visit, "visit.redeemed", "supportvisit", actor="staff"),
    "accounts.visits.end": Write(
        on_visit(lambda visit: visits.end(visit=visit)), "visit.ended", "supportvisit", actor="staff"
    ),
    "accounts.visits.end_all": Write(
        on_visit(lambda visit: in_control(lambda: visits.end_all(visit.user))()),
        "visit.ended",
        "supportvisit",
        actor="staff",
    ),
    "accounts.visits.tell_begin": Write(
        on_visit(visits.tell_begin), "visit.started", "supportvisit", plane="tenant", actor="staff"
    ),
    "accounts.visits.tell_page": Write(
        on_visit(lambda visit: visits.tell_page(visit, "/")),
        "visit.page_shown",
        "supportvisit",
        plane="tenant",
        actor="staff",
    ),
    "accounts.visits.tell_end": Write(
        on_visit(visits.tell_end), "visit.finished", "supportvisit", plane="tenant", actor="staff"
    ),
    "accounts.sharing.share": Write(share, "share.granted", "project", plane="tenant"),
    "accounts.sharing.unshare": Write(unshare, "share.withdrawn", "project", plane="tenant"),
    "accounts.sharing.withdraw_all": Write(withdraw_all, "share.withdrawn", "share", plane="tenant", actor="system"),
    "accounts.signing_keys.rotate_signing_keys": Write(
        lambda acme: lambda: signing_keys.rotate_signing_keys(actor=SYSTEM),
        "signing_key.created",
        "signingkey",
        actor="system",
        about="nobody",
    ),
    "accounts.people.set_active": Write(
        lambda acme: lambda: people.set_active(email=acme.owner.email, is_active=False, actor=SYSTEM),
        "person.deactivated",
        "user",
        actor="system",
        about="nobody",
    ),
    "accounts.signing_keys.replace_signing_keys": Write(
        lambda acme: lambda: signing_keys.replace_signing_keys(actor=SYSTEM),
        "signing_key.created",
        "signingkey",
        actor="system",
        about="nobody",
    ),
    "projects.projects.create_project": Write(
        lambda acme: lambda: projects.create_project(actor=acme.subject, name="Plan"),
        "project.created",
        "project",
        plane="tenant",
    ),
    "projects.projects.create_projects": Write(create_bulk, "project.created", "project", plane="tenant"),
    "projects.projects.update_project": Write(update_project, "project.updated", "project", plane="tenant"),
    "projects.projects.delete_project": Write(delete_project, "project.deleted", "project", plane="tenant"),
    "projects.documents.add_document": Write(upload_document, "document.added", "document", plane="tenant"),
    "projects.documents.delete_document": Write(delete_document, "document.deleted", "document", plane="tenant"),
    "projects.custom_fields.define_custom_field": Write(
        lambda acme: lambda: field(acme), "custom_field.defined", "customfield", plane="tenant"
    ),
    "projects.custom_fields.update_custom_field": Write(
        update_field, "custom_field.updated", "customfield", plane="tenant"
    ),
    "projects.custom_fields.delete_custom_field": Write(
        delete_field, "custom_field.deleted", "customfield", plane="tenant"
    ),
    "tenants.profiles.update_profile": Write(update_settings, "settings.updated", "profile"),
    "tenants.profiles.set_logo": Write(set_logo, "settings.logo_changed", "profile"),
    "tenants.profiles.remove_logo": Write(remove_logo, "settings.logo_changed", "profile"),
    "tenants.lifecycle.hold": Write(
        lambda acme: lambda: lifecycle.hold(slug=acme.tenant.slug, reason="abuse", actor=SYSTEM),
        "tenant.held",
        "tenant",
        actor="system",
    ),
    "tenants.lifecycle.release": Write(release, "tenant.released", "tenant", actor="system"),
    "tenants.pools.set_open": Write(close_pool, "pool.closed", "pool", actor="system", about="nobody"),
    "tenants.replicas.set_replica": Write(set_replica, "tenant.replica_set", "tenant", actor="system"),
    "onboarding.sign_up": Write(sign_up, "organization.founded", "tenant", actor="anonymous", about="new"),
    "onboarding.ensure_organization": Write(
        ensure_organization, "organization.founded", "tenant", actor="anonymous", about="new"
    ),
    "tenants.provisioning.request_finish": Write(
        request_finish, "tenant.provisioning_requested", "tenant", actor="system"
    ),
    "tenants.removal.remove_probe": Write(remove_probe, "probe.removed", "tenant", actor="system", about="new"),
    "fleet.migration.request_retry": Write(
        request_retry, "fleet.retry_requested", "migrationrun", actor="system", about="nobody"
    ),
    "operations.retry_event": Write(retry_event, "outbox.retried", "event", actor="system", about="nobody"),
    "staff.appoint": Write(lambda acme: appointed, "staff.appointed", "user", actor="system", about="nobody"),
    "staff.dismiss": Write(dismiss, "staff.dismissed", "user", actor="system", about="nobody"),
    "staff.note_sign_in": Write(
        sign_staff(staff.note_sign_in), "staff.signed_in", "user", actor="staff", about="nobody"
    ),
    "staff.note_sign_out": Write(
        sign_staff(staff.note_sign_out), "staff.signed_out", "user", actor="staff", about="nobody"
    ),
}

READS = "reads or computes only"
IN_CALLERS = "part of its caller's transaction, which records the act"
MAINTENANCE = "deletes what has expired"
PLACES = "makes or migrates places to live in, for nobody yet"
OTHERS: dict[str, str] = {
    "accounts.api_keys.identify_api_key": "recognizes a key; notes the minute of its last use",
    "accounts.api_keys.may_revoke": READS,
    "accounts.delegations.end_all": IN_CALLERS,
    "accounts.delegations.revoke_invitation": IN_CALLERS,
    "accounts.delegations.revoke_key": IN_CALLERS,
    "accounts.handoff.clear_expired_codes": MAINTENANCE,
    "accounts.invitations.note_undeliverable": "what a mail server said, noted at the invitation",
    "access.attempts.count_attempt": "counts what is tried; what comes of it is recorded",
    "access.attempts.clear_old_attempts": MAINTENANCE,
    "access.idempotency.begin": "keeps answers for repeated calls; the call itself is recorded",
    "access.idempotency.recall": READS,
    "access.idempotency.finish": "keeps answers for repeated calls; the call itself is recorded",
    "access.idempotency.abandon": "keeps answers for repeated calls; the call itself is recorded",
    "access.idempotency.clear_expired_calls": MAINTENANCE,
    "accounts.invitations.make_token": READS,
    "projects.documents.longest_upload": READS,
    "accounts.invitations.open_invitation": READS,
    "accounts.invitations.still_counts": READS,
    "accounts.invitations.to_be_mailed": READS,
    "accounts.members.void_rights_of_role": IN_CALLERS,
    "accounts.people.identify_person": READS,
    "accounts.people.new_person": READS,
    "accounts.people.is_verified": READS,
    "accounts.people.make_password_token": READS,
    "accounts.people.make_verification_token": READS,
    "accounts.people.validate": READS,
    "accounts.people.store_password": IN_CALLERS,
    "accounts.sessions.end_all": IN_CALLERS,
    "accounts.sessions.end_everywhere": IN_CALLERS,
    "accounts.sessions.end_families": IN_CALLERS,
    "accounts.sharing.own": IN_CALLERS,
    "accounts.delegations.end_everywhere": IN_CALLERS,
    "accounts.people.take_over": IN_CALLERS,
    "accounts.proofs.held": IN_CALLERS,
    "accounts.sharing.withdraw_made": IN_CALLERS,
    "accounts.sharing.forget": IN_CALLERS,
    "accounts.signing_keys.ensure_signing_key": "records once in the life of a platform; see below",
    "accounts.tokens.clear_expired_tokens": MAINTENANCE,
    "audit.record": "is the recording",
    "audit.difference": READS,
    "audit.state": READS,
    "fleet.control_plane.migrate_control": PLACES,
    "fleet.control_plane.control_migrations_missing": READS,
    "fleet.plan.plan_fleet": READS,
    "fleet.plan.rehearse": "takes back what it does",
    "fleet.migration.migrate_fleet": "records when there is something to do: tests/test_fleet.py",
    "fleet.migration.quarantined_locations": READS,
    "fleet.status.fleet_status": READS,
    "notifications.send_email_once": "tells of what was recorded when it happened",
    "notifications.clear_old_notes": MAINTENANCE,
    "onboarding.find_organization": READS,
    "onboarding.validated": READS,
    "projects.custom_fields.validated": READS,
    "projects.documents.open_document": READS,
    "projects.documents.download": READS,
    "projects.documents.sign_download": READS,
    "projects.documents.check_download": READS,
    "staff.staff_actor": READS,
    "tenants.profiles.open_logo": READS,
    "tenants.profiles.logo_token": READS,
    "tenants.profiles.check_logo_token": READS,
    "tenants.provisioning.open_tenant": IN_CALLERS,
    "tenants.provisioning.finish": "carries out what was recorded when the organization was created",
    "tenants.provisioning.look_after_store": "carries out what was recorded when the organization was created",
    "tenants.provisioning.unfinished": READS,
    "tenants.removal.probes": READS,
    "tenants.schema_store.stock": READS,
    "assurance.all_checks": READS,
    "assurance.verify": "records its verdict as a command's act: test_verify_isolation",
    "tenants.schema_store.replenish": PLACES,
}


# -- the promise -------------------------------------------------------------------------------------------------


def test_services__all__are_tried_below_or_say_why_not():
    assert_complete([*WRITES, *OTHERS], services(), table="tests/test_audited_services.py:WRITES or OTHERS")
    assert not set(WRITES) & set(OTHERS)


@pytest.mark.parametrize("name", WRITES)
def test_write__carried_out__is_recorded(acme, name):
    write = WRITES[name]
    act = write.prepare(acme)
    known = {event.id for event in events(acme, write.plane)}

    with acme.inside():
        act()

    added = [event for event in events(acme, write.plane) if event.id not in known]
    assert write.action in {event.action for event in added}
    for event in added:
        if event.action == write.action:
            check_event(event, write, acme)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", WRITES)
def test_write__that_cannot_be_recorded__does_not_happen(acme, name, monkeypatch):
    act = WRITES[name].prepare(acme)
    before = everything(acme)
    monkeypatch.setattr("apps.audit.services.record", refuse)

    with acme.inside(), pytest.raises(RecordRefused):
        act()

    assert everything(acme) == before


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", WRITES)
def test_write__inside_an_organization__leaves_the_other_plane_alone(acme, name):
    write = WRITES[name]
    act = write.prepare(acme)
    other = "control" if write.plane == "tenant" else "tenant"
    before = len(events(acme, other))

    with acme.inside():
        act()

    assert len(events(acme, other)) == before


def test_refresh_token__used_twice__is_recorded(acme):
    pair, actor = signed_in(acme)
    tokens.refresh(token=pair.refresh)

    with pytest.raises(TokenRefused):
        tokens.refresh(token=pair.refresh)

    reused = [event for event in events(acme, "control") if event.action == "session.token_reused"]
    assert [event.resource_id for event in reused].count(actor.session_id) == 1


def test_refresh_token__used_twice__ends_nothing_unrecorded(acme, monkeypatch):
    pair, actor = signed_in(acme)
    tokens.refresh(token=pair.refresh)
    monkeypatch.setattr("apps.audit.services.record", refuse)

    with pytest.raises(RecordRefused):
        tokens.refresh(token=pair.refresh)

    with control("look"):
        assert TokenFamily.objects.get(id=actor.session_id).revoked_at is None


class TakeBack(Exception):
    """Ends a transaction without a trace."""


def test_signing_key__made_as_the_first__is_recorded(platform, database):
    with pytest.raises(TakeBack), control("be without keys"), atomic():
        SigningKey.objects.all().delete()

        signing_keys.ensure_signing_key()

        made = ControlEvent.objects.filter(action="signing_key.created", tenant=None, actor_type="system")
        assert made.filter(resource_id=SigningKey.objects.get().id).exists()
        raise TakeBack


NOTHING_CHANGES: dict[str, Callable[[Organization], Act]] = {
    "the same role": lambda acme: (
        lambda: members.change_role(
            actor=acme.subject, member_id=membership_of(acme, acme.owner).id, role=Assigned("owner")
        )
    ),
    "the same name of a member": lambda acme: (
        lambda: members.update_profile(actor=acme.subject, member_id=membership_of(acme, acme.owner).id, name="")
    ),
    "the same settings": lambda acme: (
        lambda: profiles.update_profile(actor=acme.subject, tenant_id=acme.tenant.id, name=acme.tenant.name)
    ),
    "a logo that is not there": lambda acme: lambda: profiles.remove_logo(actor=acme.subject, tenant_id=acme.tenant.id),
    "ownership to oneself": lambda acme: (
        lambda: members.transfer_ownership(actor=acme.subject, member_id=membership_of(acme, acme.owner).id)
    ),
    "a release of what is not held": lambda acme: lambda: lifecycle.release(slug=acme.tenant.slug, actor=SYSTEM),
}


@pytest.mark.parametrize("name", NOTHING_CHANGES)
def test_write__that_changes_nothing__records_nothing(acme, name):
    act = NOTHING_CHANGES[name](acme)
    before = everything(acme)

    with acme.inside():
        act()

    assert everything(acme) == before


@pytest.fixture(autouse=True)
def _current_keys() -> Iterator[None]:
    """This process signs with the keys that there are, whatever a test did to them."""
    yield
    keyset.forget()
