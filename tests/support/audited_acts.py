"""The services that write, each about to do it once; what they need is made before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from apps.access.subjects import Subject
from apps.accounts import subjects
from apps.accounts.models import CustomRole, Invitation, Membership, User
from apps.accounts.roles import Assigned
from apps.accounts.services import api_keys, handoff, invitations, members, people, roles, sessions, sharing, tokens
from apps.accounts.tokens import read_access
from apps.audit.actors import SYSTEM
from apps.fleet.models import MigrationRun, Quarantine
from apps.fleet.services import migration
from apps.onboarding import services as onboarding
from apps.operations import services as operations
from apps.projects.models import CustomField
from apps.projects.services import custom_fields, documents, projects
from apps.staff import services as staff
from apps.tenancy import outbox
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from apps.tenants.models import Placement, Pool, Tenant, TenantDatabase
from apps.tenants.services import lifecycle, pools, profiles, provisioning, removal, replicas, schema_store
from tests.support.factories import PASSWORD, Organization, add_document, add_person, add_project
from tests.support.pictures import png

Act = Callable[[], Any]
NEW_PASSWORD = "another password that is long enough"
PNG = png()


@dataclass(frozen=True)
class Write:
    """A service at work: ``prepare`` makes what it needs and returns the act that is to be recorded.

    ``about`` says whose log of the control plane the event belongs to: the organization's own, that of one which
    is created by the act, or nobody's.
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


def signed_in(organization: Organization) -> tuple[tokens.TokenPair, Subject]:
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
    code = handoff.issue_handoff_code(tenant_id=acme.tenant.id, person=acme.owner)
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


def close_pool(acme: Organization) -> Act:
    with control("prepare"):
        Pool.objects.create(number=9000, schema="pool_noted", capacity=0, built=True)
    return lambda: pools.set_open(number=9000, is_open=False, actor=SYSTEM)


def set_replica(acme: Organization) -> Act:
    with control("prepare"):
        TenantDatabase.objects.filter(tenant=acme.tenant).delete()
        TenantDatabase.objects.create(tenant=acme.tenant, name="tenant_noted", schema="t_noted", url="postgres://x")
    return lambda: replicas.set_replica(slug=acme.tenant.slug, address="replica.example:5432", actor=SYSTEM)


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


def remove_probe(acme: Organization) -> Act:
    with control("prepare"), atomic():
        probe = provisioning.open_tenant(name="Probe", kind=Placement.Kind.POOL, is_probe=True)
    return lambda: removal.remove_probe(tenant_id=probe.id, actor=SYSTEM)


def retry_event(acme: Organization) -> Act:
    with control("prepare"), atomic():
        event_id = outbox.emit("tests.stuck", {})
    return lambda: operations.retry_event(event_id=event_id, database="default", actor=SYSTEM)


def request_retry(acme: Organization) -> Act:
    with control("prepare"):
        MigrationRun.objects.create(fingerprint="f", started_by="test")
        Quarantine.objects.create(schema="t_stuck", fingerprint="f", error="locked")
    return lambda: migration.request_retry(actor=SYSTEM)


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
