"""Every registered task: sent without a tenant, with a forged one, and run with the victim's ids."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.core import mail
from django.utils import timezone
from kombu.connection import Connection

from apps.tenancy.context import control, current, use
from apps.tenancy.errors import NoTenantContext, TaskRefused
from apps.tenancy.tasks import TENANT_HEADER, ContextTask, registered_tasks

from ..checks import Wall, Watch
from ..targets import Pair, Target
from .register import attack

QUEUE = "probe"


@attack(
    "task-senders",
    Wall.TASKS,
    "A task is sent by a tenant for itself, or not at all",
    tries="Sends each task of tenants without a context, from the control plane, and with the victim's id forged into "
    "its header, over a broker in memory; sends each task of the control plane from a tenant.",
    why="A queue has no session: what a message says about its tenant is all a worker knows.",
)
def senders(pair: Pair, watch: Watch) -> None:
    for name, task in sorted(registered_tasks().items()):
        bound = isinstance(task, ContextTask)
        watch.expect(bound, f"{name} is bound to no context")
        if not bound:
            continue
        if task.control_reason:
            with use(pair.attacker.context):
                watch.expect(_raises(TaskRefused, task), f"a tenant could send {name}, which is the control plane's")
            continue
        with use(None):
            watch.expect(_raises(NoTenantContext, task), f"{name} could be sent without a tenant")
        with control("try to send a tenant's task"):
            watch.expect(_raises(NoTenantContext, task), f"{name} could be sent from the control plane")
        carried = _carried_tenant(task, pair)
        watch.expect(carried == str(pair.attacker.tenant.id), f"{name} went out for the tenant {carried}")


@attack(
    "task-runs",
    Wall.TASKS,
    "A task run for one tenant does not reach another",
    tries="Runs each task of tenants as a worker does: without a tenant, for an unknown one, and for the attacker with "
    "the victim's ids as arguments. Mails stay in this process and are searched for the victim's marker.",
    why="Ids in a message come from somewhere; the context must be what decides whose rows they may be.",
)
def runs(pair: Pair, watch: Watch) -> None:
    for name, task in sorted(registered_tasks().items()):
        if not isinstance(task, ContextTask) or task.control_reason:
            continue
        watch.expect(isinstance(_run(task, None, pair.victim), TaskRefused), f"{name} ran without a tenant")
        unknown = _run(task, str(uuid4()), pair.victim)
        watch.expect(isinstance(unknown, Exception), f"{name} ran for a tenant that does not exist")
        sent = len(_mails())
        _run(task, str(pair.attacker.tenant.id), pair.victim)
        watch.remarks += [f"{name} was given no id of the victim's as {lack}" for lack in _unfilled(task, pair.victim)]
        said = "".join(f"{message.subject}{message.body}{message.to}" for message in _mails()[sent:])
        watch.expect(pair.victim.marker not in said, f"{name} mailed the victim's marker")
        watch.expect(current() is None, f"{name} left a context behind")


def _broker() -> Any:
    """One of its own that nobody reads."""
    return Connection("memory://")  # type: ignore[no-untyped-call]


def _raises(expected: type[Exception], task: Any) -> bool:
    return _refused_with(expected, lambda connection: task.apply_async(connection=connection, queue=QUEUE))


def _refused_with(expected: type[Exception], send: Callable[[Any], Any]) -> bool:
    with _broker() as connection:
        try:
            send(connection)
        except expected:
            return True
    return False


def _carried_tenant(task: Any, pair: Pair) -> str:
    """The tenant in a message's header when the attacker sends it with the victim's."""
    queue = f"{QUEUE}-{uuid4().hex}"
    with _broker() as connection, use(pair.attacker.context):
        forged = {TENANT_HEADER: str(pair.victim.tenant.id)}
        task.apply_async(kwargs=_arguments(task, pair.victim), headers=forged, connection=connection, queue=queue)
        message = connection.SimpleQueue(queue).get(timeout=1)
        message.ack()
    return str(message.headers.get(TENANT_HEADER))


def _run(task: Any, tenant_id: str | None, victim: Target) -> Any:
    """Run a task as a worker does, with the message's header; the error it ended with, if any."""
    headers = {TENANT_HEADER: tenant_id} if tenant_id else {"other": "header"}
    return task.apply(kwargs=_arguments(task, victim), headers=headers, throw=False, retries=task.max_retries).result


def _arguments(task: Any, victim: Target) -> dict[str, Any]:
    """What the task takes: the victim's ids where a name speaks of one, else something of the right type."""
    return {name: _argument(name, p, victim) for name, p in inspect.signature(task.run).parameters.items()}


def _argument(name: str, parameter: inspect.Parameter, victim: Target) -> Any:
    if name.endswith("_id"):
        return _id_for(name, victim) or str(uuid4())
    if str(parameter.annotation) in ("int", "<class 'int'>"):
        return 1
    return timezone.now().isoformat()


def _id_for(name: str, victim: Target) -> str:
    """An id of the victim's that a name speaks of; empty if there is none."""
    word = name.removesuffix("_id").replace("_", "")
    found = [] if name == "event_id" else [own for known, own in victim.ids.items() if word in known or known in word]
    return str(found[0]) if found else ""


def _unfilled(task: Any, victim: Target) -> list[str]:
    """The ids that a task takes and the victim has none of: an attack with a random one proves nothing."""
    names = [name for name in inspect.signature(task.run).parameters if name.endswith("_id") and name != "event_id"]
    return [name for name in names if not _id_for(name, victim)]


def _mails() -> list[Any]:
    return list(getattr(mail, "outbox", []))
