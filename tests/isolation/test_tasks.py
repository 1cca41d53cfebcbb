"""Every task, sent without a tenant, with a foreign one, or with one that may not run."""

from __future__ import annotations

import inspect
from typing import Any
from uuid import uuid4

import pytest
from celery import Task
from django.core import mail

from apps.accounts.models import Membership
from apps.notifications.tasks import send_welcome_email
from apps.tenancy.context import control, current, use
from apps.tenancy.errors import NoTenantContext, TaskRefused
from apps.tenancy.tasks import TENANT_HEADER, ContextTask, registered_tasks
from apps.tenants.errors import TenantNotFound, TenantNotReady
from apps.tenants.models import Tenant
from tests.support.completeness import assert_complete

# Every task by name. A task that is missing here fails.
TENANT_TASKS = {
    "apps.accounts.tasks.withdraw_shares",
    "apps.audit.tasks.forward_event",
    "apps.notifications.tasks.send_invitation",
    "apps.notifications.tasks.send_password_reset",
    "apps.notifications.tasks.send_verification",
    "apps.notifications.tasks.send_welcome_email",
}
CONTROL_TASKS = {
    "apps.accounts.tasks.clear_expired",
    "apps.accounts.tasks.republish_rights",
    "apps.audit.tasks.forward_control_event",
    "apps.fleet.tasks.retry_quarantined",
    "apps.notifications.tasks.clear_old_notes",
    "apps.notifications.tasks.send_organizations",
    "apps.tenants.tasks.finish_provisioning",
    "apps.tenants.tasks.replenish_after_claim",
    "apps.tenants.tasks.replenish_store",
    "apps.tenants.tasks.resume_provisioning",
    "apps.operations.tasks.collect_stray_files",
    "apps.operations.tasks.seal_audit_logs",
    "apps.tenants.tasks.tell_of_changed_tenants",
}


@pytest.fixture(params=sorted(TENANT_TASKS))
def task(request) -> Any:
    return registered_tasks()[request.param]


def test_tasks__registered__are_all_attacked_below():
    table = "tests/isolation/test_tasks.py:TENANT_TASKS or CONTROL_TASKS"

    assert_complete(TENANT_TASKS | CONTROL_TASKS, registered_tasks(), table=table)


def test_tasks__registered__are_bound_to_a_context():
    for name, task in registered_tasks().items():
        assert isinstance(task, ContextTask), name
        assert bool(task.control_reason) == (name in CONTROL_TASKS), name


def test_task__sent_without_a_tenant__is_refused(task, platform, database):
    with use(None), pytest.raises(NoTenantContext):
        task.delay(**arguments_of(task))


def test_task__sent_from_the_control_plane__is_refused(task, platform, database):
    with control("attack"), pytest.raises(NoTenantContext):
        task.delay(**arguments_of(task))


def test_task__sent_with_a_foreign_header__keeps_the_senders_tenant(task, home, foreign, monkeypatch):
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(Task, "apply_async", lambda *args, **options: sent.append(options["headers"]))

    with home.inside():
        task.apply_async(kwargs=arguments_of(task), headers={TENANT_HEADER: str(foreign.tenant.id)})

    assert sent == [{TENANT_HEADER: str(home.tenant.id)}]


@pytest.mark.parametrize("name", sorted(CONTROL_TASKS))
def test_control_task__sent_by_a_tenant__is_refused(home, name):
    with home.inside(), pytest.raises(TaskRefused):
        registered_tasks()[name].delay()


def test_message__without_a_tenant__is_refused(task, platform, database):
    assert isinstance(perform(task, None), TaskRefused)


def test_message__with_an_unknown_tenant__is_refused(task, platform, database):
    assert isinstance(perform(task, str(uuid4())), TenantNotFound)


@pytest.mark.parametrize("status", ["provisioning", "deactivated", "erased"])
def test_message__of_a_tenant_that_is_not_ready__is_refused(task, home, status):
    with control("change the status"):
        Tenant.objects.filter(id=home.tenant.id).update(status=status)

    assert isinstance(perform(task, str(home.tenant.id)), TenantNotReady)


def test_message__of_a_tenant__runs_in_that_tenant_only(home, foreign):
    perform(send_welcome_email, str(home.tenant.id))

    assert [message.to for message in mail.outbox] == [[home.owner.email]]
    assert current() is None


def test_task__called_directly_in_a_tenant__sees_that_tenant(home, foreign):
    with home.inside():
        send_welcome_email(event_id=str(uuid4()))

    assert [message.to for message in mail.outbox] == [[home.owner.email]]


def test_task__called_while_another_tenants_context_is_active__uses_the_message(home, foreign):
    with foreign.inside():
        perform(send_welcome_email, str(home.tenant.id))

    assert [message.to for message in mail.outbox] == [[home.owner.email]]


def test_membership__of_a_foreign_tenant__is_invisible_to_a_task(home, foreign):
    with home.inside():
        assert list(Membership.objects.values_list("tenant_id", flat=True)) == [home.tenant.id]


def arguments_of(task: Any) -> dict[str, str]:
    """Something for each argument of a task, which is refused before it reads them or finds nothing there."""
    return {name: str(uuid4()) for name in inspect.signature(task.run).parameters}


def perform(task: Any, tenant_id: str | None) -> Any:
    """Run a task as a worker does, with the message's header; the error it ended with, if any."""
    headers = {TENANT_HEADER: tenant_id} if tenant_id else {"other": "header"}
    result = ContextTask.apply(task, kwargs=arguments_of(task), headers=headers, throw=False)
    return result.result
