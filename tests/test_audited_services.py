"""Every service that writes records what it did, in the transaction in which it does it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

import apps
from apps.accounts import subjects
from apps.accounts.errors import TokenRefused
from apps.accounts.keyset import keyset
from apps.accounts.models import CustomRole, Invitation, Membership, SupportVisit, TokenFamily, User
from apps.accounts.roles import Assigned
from apps.accounts.services import (
    api_keys,
    handoff,
    invitations,
    lookup,
    members,
    people,
    roles,
    sessions,
    sharing,
    signing_keys,
    tokens,
    visits,
)
from apps.accounts.subjects import Subject
from apps.accounts.tokens import read_access
from apps.audit.actors import SYSTEM
from apps.audit.models import ControlEvent, Event
from apps.core.encryption import EncryptedTextField
from apps.fleet import services as fleet
from apps.onboarding import services as onboarding
from apps.projects.models import CustomField
from apps.projects.services import custom_fields, documents, projects
from apps.staff import services as staff
from apps.tenancy import outbox
from apps.tenancy.context import control
from apps.tenancy.planes import control_models
from apps.tenancy.transactions import atomic
from apps.tenants.models import Placement, Tenant
from apps.tenants.services import lifecycle, profiles, provisioning, schema_store
from tests import servers
from tests.factories import PASSWORD, Organization, add_document, add_person, add_project

Act = Callable[[], Any]
NEW_PASSWORD = "another password that is long enough"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)


@dataclass(frozen=True)
class Write:
    """A service at work: ``prepare`` makes what it needs and returns the act that is to be recorded.

    ``about`` says whose log of the control plane the event belongs to: the organization's own, that of one which
    is founded by the act, or nobody's.
    """

    prepare: Callable[[Organization], Act]
    action: str
    resource: str
    plane: str = "control"
    actor: str = "owner"
    about: str = "own"


# -- what is there before the act --------------------------------------------------------------------------------


def membership_of(organization: Organization, user: User) -> Membership:
    with control("prepare"):
        found = Membership.objects.select_related("user", "tenant", "custom_role")
        return found.get(tenant=organization.tenant, user=user)


def colleague(organization: Organization, role: str = "member") -> Membership:
    return membership_of(organization, add_person(organization, role))


def own_role(organization: Organization) -> CustomRole:
    return roles.create_role(actor=organization.subject, name="Editors", permissions=["projects:read"])


def invitation(organization: Organization, email: str = "guest@example.com") -> Invitation:
    return invitations.invite(actor=organization.subject, email=email, role=Assigned("member"))


def signed_in(organization: Organization) -> tuple[tokens.Pair, Subject]:
    """The owner's tokens, and the owner as their bearer."""
    pair = tokens.issue(membership_of(organization, organization.owner))
    return pair, read_access(pair.access)[0]


def upload(content: bytes = b"content") -> SimpleUploadedFile:
    return SimpleUploadedFile("notes.txt", content)


def field(organization: Organization) -> CustomField:
    with organization.inside():
        return custom_fields.define_custom_field(actor=organization.subject, key="stage", label="Stage", kind="text")


def in_control(act: Act) -> Act:
    """An act that takes part in its caller's control-plane transaction."""

    def acting() -> Any:
        with control("act"), atomic():
            return act()

    return acting


# -- the acts ----------------------------------------------------------------------------------------------------


def add_member(acme: Organization) -> Act:
    with control("prepare"), atomic():
        user = people.save_person(people.new_person(email="new@example.com", password=PASSWORD))
    return in_control(lambda: members.add_member(tenant_id=acme.tenant.id, user=user, actor=acme.subject))


def change_role(acme: Organization) -> Act:
    member = colleague(acme)
    return lambda: members.change_role(actor=acme.subject, member_id=member.id, role=Assigned("viewer"))


def update_member(acme: Organization) -> Act:
    member = colleague(acme)
    actor = subjects.of_membership(member)
    return lambda: members.update_profile(actor=actor, member_id=member.id, name="New name")


def remove_member(acme: Organization) -> Act:
    member = colleague(acme)
    tokens.issue(member)
    return lambda: members.remove_member(actor=acme.subject, member_id=member.id)


def leave(acme: Organization) -> Act:
    actor = subjects.of_membership(colleague(acme))
    return lambda: members.leave(actor=actor)


def transfer_ownership(acme: Organization) -> Act:
    member, actor = colleague(acme), acme.subject
    return lambda: members.transfer_ownership(actor=actor, member_id=member.id)


def resend(acme: Organization) -> Act:
    row = invitation(acme)
    return lambda: invitations.resend(actor=acme.subject, invitation_id=row.id)


def revoke_invitation(acme: Organization) -> Act:
    row = invitation(acme)
    return lambda: invitations.revoke(actor=acme.subject, invitation_id=row.id)


def accept(acme: Organization) -> Act:
    token = invitations.make_token(invitation(acme))
    return lambda: invitations.accept(token=token, password=PASSWORD)


def update_role(acme: Organization) -> Act:
    role = own_role(acme)
    return lambda: roles.update_role(actor=acme.subject, role_id=role.id, name="Writers", permissions=[])


def delete_role(acme: Organization) -> Act:
    role = own_role(acme)
    return lambda: roles.delete_role(actor=acme.subject, role_id=role.id)


def save_person(acme: Organization) -> Act:
    person = people.new_person(email="new@example.com", password=PASSWORD)
    return in_control(lambda: people.save_person(person))


def set_password(acme: Organization) -> Act:
    member = colleague(acme)
    tokens.issue(member)
    token = people.make_password_token(member.user)
    return lambda: people.set_password(user_id=member.user_id, token=token, password=NEW_PASSWORD)


def change_password(acme: Organization) -> Act:
    member = colleague(acme)
    tokens.issue(member)
    actor = subjects.of_membership(member)
    return lambda: people.change_password(user=member.user, old=PASSWORD, new=NEW_PASSWORD, actor=actor)


def verify_email(acme: Organization) -> Act:
    member = colleague(acme)
    token, actor = people.make_verification_token(member.user), subjects.of_membership(member)
    return lambda: people.verify_email(user=member.user, token=token, actor=actor)


def revoke_session(acme: Organization) -> Act:
    _, actor = signed_in(acme)
    return lambda: sessions.revoke_session(actor=acme.subject, session_id=actor.session_id)


def sign_out_everywhere(acme: Organization) -> Act:
    signed_in(acme)
    return lambda: sessions.sign_out_everywhere(actor=acme.subject)


def refresh(acme: Organization) -> Act:
    pair, _ = signed_in(acme)
    return lambda: tokens.refresh(token=pair.refresh)


def sign_out(acme: Organization) -> Act:
    _, actor = signed_in(acme)
    return lambda: tokens.sign_out(actor=actor, expires_at=timezone.now() + timedelta(minutes=15))


def revoke_api_key(acme: Organization) -> Act:
    key, _ = api_keys.create_api_key(actor=acme.subject, name="CI", scopes=["projects:read"])
    return lambda: api_keys.revoke_api_key(actor=acme.subject, key_id=key.id)


def redeem(acme: Organization) -> Act:
    code = handoff.issue_handoff_code(tenant_id=acme.tenant.id, user_id=acme.owner.id)
    return lambda: handoff.redeem_handoff_code(code=code)


def share(acme: Organization) -> Act:
    project, user_id = add_project(acme), colleague(acme).user_id
    return lambda: sharing.share(actor=acme.subject, resource=project, user_id=user_id, relation="editor")


def unshare(acme: Organization) -> Act:
    project = add_project(acme)
    return lambda: sharing.unshare(actor=acme.subject, resource=project, user_id=acme.owner.id)


def withdraw_all(acme: Organization) -> Act:
    add_project(acme)  # its creator owns it
    return lambda: sharing.withdraw_all(user_id=acme.owner.id, before=timezone.now())


def create_bulk(acme: Organization) -> Act:
    return lambda: projects.create_projects(actor=acme.subject, items=[{"name": "One"}, {"name": "Two"}])


def update_project(acme: Organization) -> Act:
    project = add_project(acme)
    return lambda: projects.update_project(actor=acme.subject, project=project, name="Renamed")


def delete_project(acme: Organization) -> Act:
    project = add_project(acme)
    add_document(acme, project)
    return lambda: projects.delete_project(actor=acme.subject, project=project)


def upload_document(acme: Organization) -> Act:
    project = add_project(acme)
    add_document(acme, project)  # the folder stays when it is empty again
    return lambda: documents.add_document(actor=acme.subject, project=project, upload=upload())


def delete_document(acme: Organization) -> Act:
    document = add_document(acme, add_project(acme))
    return lambda: documents.delete_document(actor=acme.subject, document=document)


def update_field(acme: Organization) -> Act:
    row = field(acme)
    return lambda: custom_fields.update_custom_field(actor=acme.subject, field=row, label="Phase")


def delete_field(acme: Organization) -> Act:
    row = field(acme)
    return lambda: custom_fields.delete_custom_field(actor=acme.subject, field=row)


def update_settings(acme: Organization) -> Act:
    return lambda: profiles.update_profile(
        actor=acme.subject, tenant_id=acme.tenant.id, name="New name", time_zone="Asia/Tokyo"
    )


def set_logo(acme: Organization) -> Act:
    (acme.folder / "branding").mkdir(parents=True)  # it stays when it is empty again
    return lambda: profiles.set_logo(actor=acme.subject, tenant_id=acme.tenant.id, upload=upload(PNG))


def remove_logo(acme: Organization) -> Act:
    set_logo_now = set_logo(acme)
    with acme.inside():
        set_logo_now()
    return lambda: profiles.remove_logo(actor=acme.subject, tenant_id=acme.tenant.id)


def release(acme: Organization) -> Act:
    lifecycle.hold(slug=acme.tenant.slug, reason="abuse", actor=SYSTEM)
    return lambda: lifecycle.release(slug=acme.tenant.slug, actor=SYSTEM)


def sign_up(acme: Organization) -> Act:
    schema_store.replenish()
    return lambda: onboarding.sign_up(
        organization="New", email="new@example.com", password=PASSWORD, placement=Placement.Kind.POOL
    )


def ensure_organization(acme: Organization) -> Act:
    schema_store.replenish()
    return lambda: onboarding.ensure_organization(
        organization="New", owner_email="new@example.com", placement=Placement.Kind.POOL
    )


def request_finish(acme: Organization) -> Act:
    with control("prepare"):
        Tenant.objects.filter(id=acme.tenant.id).update(status=Tenant.Status.PROVISIONING)

    def acting() -> Any:
        provisioning.request_finish(tenant_id=acme.tenant.id, actor=SYSTEM)

    return acting


def retry_event(acme: Organization) -> Act:
    with control("prepare"), atomic():
        event_id = outbox.emit("tests.stuck", {})
    return lambda: fleet.retry_event(event_id=event_id, database="default", actor=SYSTEM)


def appointed() -> User:
    return staff.appoint(email="staff@example.com", password=PASSWORD, is_superuser=True, actor=SYSTEM)


def dismiss(acme: Organization) -> Act:
    appointed()
    return lambda: staff.dismiss(email="staff@example.com", actor=SYSTEM)


def sign_staff(note: Callable[[User], None]) -> Callable[[Organization], Act]:
    def prepare(acme: Organization) -> Act:
        person = appointed()
        return lambda: note(person)

    return prepare


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
        lambda acme: lambda: handoff.issue_handoff_code(tenant_id=acme.tenant.id, user_id=acme.owner.id),
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
    "onboarding.sign_up": Write(sign_up, "organization.founded", "tenant", actor="anonymous", about="new"),
    "onboarding.ensure_organization": Write(
        ensure_organization, "organization.founded", "tenant", actor="anonymous", about="new"
    ),
    "tenants.provisioning.request_finish": Write(
        request_finish, "tenant.provisioning_requested", "tenant", actor="system"
    ),
    "fleet.retry_event": Write(retry_event, "outbox.retried", "event", actor="system", about="nobody"),
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
    "accounts.handoff.clear_expired_codes": MAINTENANCE,
    "accounts.idempotency.begin": "keeps answers for repeated calls; the call itself is recorded",
    "accounts.idempotency.recall": READS,
    "accounts.idempotency.finish": "keeps answers for repeated calls; the call itself is recorded",
    "accounts.idempotency.abandon": "keeps answers for repeated calls; the call itself is recorded",
    "accounts.idempotency.clear_expired_calls": MAINTENANCE,
    "accounts.invitations.make_token": READS,
    "accounts.invitations.open_invitation": READS,
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
    "accounts.sharing.forget": IN_CALLERS,
    "accounts.signing_keys.ensure_signing_key": "records once in the life of a platform; see below",
    "accounts.tokens.clear_expired_tokens": MAINTENANCE,
    "audit.record": "is the recording",
    "audit.difference": READS,
    "audit.state": READS,
    "fleet.migrate_control": PLACES,
    "fleet.migrate_tenants": PLACES,
    "fleet.migrate_place": PLACES,
    "fleet.physical_schemas": READS,
    "fleet.place_of": READS,
    "fleet.control_migrations_missing": READS,
    "notifications.send_email_once": "tells of what was recorded when it happened",
    "notifications.clear_old_notes": MAINTENANCE,
    "onboarding.find_organization": READS,
    "onboarding.validated": READS,
    "projects.custom_fields.validated": READS,
    "projects.documents.open_document": READS,
    "projects.documents.sign_download": READS,
    "projects.documents.check_download": READS,
    "staff.staff_actor": READS,
    "tenants.profiles.open_logo": READS,
    "tenants.provisioning.open_tenant": IN_CALLERS,
    "tenants.provisioning.finish": "carries out what was recorded when the organization was founded",
    "tenants.provisioning.unfinished": READS,
    "tenants.schema_store.stock": READS,
    "tenants.schema_store.replenish": PLACES,
}


# -- the promise -------------------------------------------------------------------------------------------------


def test_services__all__are_tried_below_or_say_why_not():
    assert sorted(services()) == sorted([*WRITES, *OTHERS])


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


@pytest.mark.parametrize("name", WRITES)
def test_write__that_cannot_be_recorded__does_not_happen(acme, name, monkeypatch):
    act = WRITES[name].prepare(acme)
    before = everything(acme)
    monkeypatch.setattr("apps.audit.services.record", refuse)

    with acme.inside(), pytest.raises(RecordRefused):
        act()

    assert everything(acme) == before


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


def test_signing_key__made_as_the_first__is_recorded(platform, database):
    signing_keys.ensure_signing_key()

    with control("look"):
        assert ControlEvent.objects.filter(action="signing_key.created", tenant=None, actor_type="system").exists()


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
    "a reset for a stranger": lambda acme: lambda: people.request_password_reset(email="nobody@example.com"),
    "a lookup for a stranger": lambda acme: lambda: lookup.request_organizations(email="nobody@example.com"),
}


@pytest.mark.parametrize("name", NOTHING_CHANGES)
def test_write__that_changes_nothing__records_nothing(acme, name):
    act = NOTHING_CHANGES[name](acme)
    before = everything(acme)

    with acme.inside():
        act()

    assert everything(acme) == before


# -- how it is looked at -----------------------------------------------------------------------------------------


class RecordRefused(Exception):
    pass


def refuse(*args: Any, **kwargs: Any) -> None:
    raise RecordRefused


@pytest.fixture(autouse=True)
def _current_keys() -> Iterator[None]:
    """This process signs with the keys that there are, whatever a test did to them."""
    yield
    keyset.forget()


def services() -> Iterator[str]:
    """Every public function of every ``services`` module, as ``app.module.function`` or ``app.function``."""
    for app in pkgutil.iter_modules(apps.__path__):
        for module in service_modules(f"apps.{app.name}.services"):
            prefix = module.__name__.removeprefix("apps.").replace(".services", "")
            for name, function in inspect.getmembers(module, inspect.isfunction):
                if function.__module__ == module.__name__ and not name.startswith("_"):
                    yield f"{prefix}.{name}"


def service_modules(name: str) -> Iterator[ModuleType]:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        assert error.name == name
        return
    yield module
    for part in pkgutil.iter_modules(getattr(module, "__path__", [])):
        yield importlib.import_module(f"{name}.{part.name}")


def check_event(event: Event | ControlEvent, write: Write, acme: Organization) -> None:
    person = str(acme.owner.id)
    if write.actor in ("member", "staff"):
        assert event.actor_type == (subjects.USER if write.actor == "member" else "staff")
        assert event.actor_id not in ("", person)
    else:
        expected = (subjects.USER, person) if write.actor == "owner" else (write.actor, "")
        assert (event.actor_type, event.actor_id) == expected
    assert event.resource_type == write.resource
    assert event.resource_id
    if write.about == "new":
        assert event.tenant_id not in (None, acme.tenant.id)
    else:
        assert event.tenant_id == (acme.tenant.id if write.about == "own" else None)


def events(organization: Organization, plane: str) -> list[Any]:
    if plane == "tenant":
        with organization.inside():
            return list(Event.objects.all())
    with control("look"):
        return list(ControlEvent.objects.all())


def everything(organization: Organization) -> dict[str, Any]:
    """All rows of the control plane, all rows and files of the organization, all that is waiting to leave."""
    with control("compare"):
        found: dict[str, Any] = {model._meta.label: rows_of(model) for model in control_models()}
    with servers.as_operator() as connection:
        found["outbox"] = connection.execute("SELECT event_id FROM platform.outbox ORDER BY 1").fetchall()
    return {**found, "organization": organization.fingerprint()}


def rows_of(model: Any) -> list[Any]:
    plain = [f.attname for f in model._meta.concrete_fields if not isinstance(f, EncryptedTextField)]
    return list(model._default_manager.order_by("pk").values_list(*plain))
