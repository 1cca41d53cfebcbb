"""Celery tasks run in the context they were sent from, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import structlog
from celery import Task, current_app
from django.db import connections
from django_tenants.utils import get_tenant_model

from apps.core.errors import NotFoundError

from . import outbox
from .context import Context, ControlContext, TenantContext, current, use
from .errors import NoTenantContext, TaskRefused
from .outbox import Handed
from .outbox.relay import OutboxEvent

log = structlog.get_logger(__name__)

TENANT_HEADER = "tenant_id"
OUTBOX_HEADER = "outbox"  # the database whose outbox the event is kept in until its tasks are done
EVENTS_HEADER = "events"  # the message is about so many events, which are handled one after the other
LOG_CONTEXT_HEADER = "__django_structlog__"  # bound to the task's log lines by django-structlog


class ContextTask(Task):  # type: ignore[misc]
    """The base of every task.

    By default a task belongs to a tenant: it can be sent only from a tenant context, whose id travels in the
    message header, and a message without one is refused. ``control_reason`` declares one for the control plane.

    A message of the relay's may carry many events of many tenants. Each is handled in a context of its own, as if it
    had come alone; one that fails does come alone next, and only then by the task's own rules of retrying.
    """

    control_reason: str = ""

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        headers = dict(options.pop("headers", None) or {})
        if not self.control_reason:
            headers[TENANT_HEADER] = str(self._sender().tenant_id)  # whatever the caller put there
        elif isinstance(current(), TenantContext):
            raise TaskRefused(f"{self.name} is the control plane's; a tenant may not send it.")
        return super().apply_async(args, kwargs, headers=headers, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if (self.request.headers or {}).get(EVENTS_HEADER):
            return self._handle([Handed.parse(event) for event in kwargs["events"]])
        try:
            context = self._context()
        except NotFoundError:  # nothing is left to be done for an organization that is gone
            self._finish(kwargs)
            raise
        with use(context):
            result = self.run(*args, **kwargs)
        self._finish(kwargs)
        return result

    def _context(self) -> Context:
        if self.control_reason:
            return ControlContext(self.control_reason)
        if self.request.called_directly:
            return self._sender()
        model: Any = get_tenant_model()
        context: TenantContext = model.context_for_id(self.tenant_id)
        return context

    def _handle(self, events: list[Handed]) -> None:
        context_of = self._contexts(events)
        with outbox.Batch(events, self.name, self.request.headers[OUTBOX_HEADER]) as batch:
            for event in batch:
                try:
                    with self._as_if_alone(event):
                        self._handle_one(event, context_of)
                    batch.done.append(event.event_id)
                except Exception as error:
                    log.warning("outbox_event_goes_alone", event_id=str(event.event_id), exc_info=True)
                    batch.failed[event.event_id] = f"{type(error).__name__}: {error}"
                    for connection in connections.all(initialized_only=True):
                        connection.close_if_unusable_or_obsolete()

    def _handle_one(self, event: Handed, context_of: Callable[[Handed], Context]) -> None:
        try:
            context = context_of(event)
        except NotFoundError:
            return  # as above
        with use(context):
            self.run(**self.request.kwargs)

    def _contexts(self, events: list[Handed]) -> Callable[[Handed], Context]:
        """The context of each event; all tenants are looked up in one statement."""
        if self.control_reason:
            return lambda event: ControlContext(self.control_reason)
        model: Any = get_tenant_model()
        context_for_id = model.contexts_for_ids({event.tenant_id for event in events if event.tenant_id})

        def context_of(event: Handed) -> Context:
            context: TenantContext = context_for_id(self.tenant_id)
            return context

        return context_of

    @contextmanager
    def _as_if_alone(self, event: Handed) -> Iterator[None]:
        """The task's request and the log lines are about one event. Retrying raises what it would retry after."""
        headers = {TENANT_HEADER: str(event.tenant_id)} if event.tenant_id else {}
        task_id = f"{event.event_id}.{self.name}"
        kwargs = {"event_id": str(event.event_id), **event.payload}
        bound = structlog.contextvars.bound_contextvars(request_id=event.request_id, task_id=task_id)
        self.push_request(id=task_id, headers=headers, args=(), kwargs=kwargs, retries=0, called_directly=True)
        try:
            with bound:
                yield
        finally:
            self.pop_request()

    @property
    def tenant_id(self) -> UUID:
        """The tenant that the message is about, as the outbox or the sender's context had it. Raises TaskRefused."""
        tenant_id = (self.request.headers or {}).get(TENANT_HEADER)
        if not tenant_id:
            raise TaskRefused(f"{self.name} came without a tenant.")
        return UUID(tenant_id)

    def _finish(self, kwargs: dict[str, Any]) -> None:
        database = (self.request.headers or {}).get(OUTBOX_HEADER)
        if database:
            outbox.finish(UUID(kwargs["event_id"]), task=self.name, database=database)

    def _sender(self) -> TenantContext:
        context = current()
        if not isinstance(context, TenantContext):
            raise NoTenantContext(f"{self.name} is a tenant's task; send it from that tenant's context.")
        return context


def retrying(*errors: type[Exception], attempts: int, longest_pause: int) -> dict[str, Any]:
    """Options of a task that tries again after these errors, and waits longer each time, up to so many seconds.

    The longest pause stays below the broker's visibility timeout, or a waiting task would be delivered twice.
    """
    return {
        "autoretry_for": errors,
        "retry_backoff": True,
        "retry_backoff_max": longest_pause,
        "max_retries": attempts,
    }


def registered_tasks() -> dict[str, Any]:
    """Every task of the installed applications by name."""
    current_app.loader.import_default_modules()
    return {name: task for name, task in current_app.tasks.items() if not name.startswith("celery.")}


def publish(task: str, events: Sequence[OutboxEvent]) -> None:
    """Send the events of one message to a task: many, or one that goes alone."""
    first = events[0]
    if first.is_alone:
        _publish_alone(task, first)
    else:
        headers = {OUTBOX_HEADER: first.database, EVENTS_HEADER: len(events)}
        current_app.send_task(task, kwargs={"events": [_fields(event) for event in events]}, headers=headers)


def _publish_alone(task: str, event: OutboxEvent) -> None:
    """The event's tenant is in the header, and its id stays the same when repeated."""
    headers: dict[str, Any] = {LOG_CONTEXT_HEADER: {"request_id": event.request_id}, OUTBOX_HEADER: event.database}
    if event.tenant_id:
        headers[TENANT_HEADER] = str(event.tenant_id)
    kwargs = {"event_id": str(event.event_id), **event.payload}
    current_app.send_task(task, kwargs=kwargs, headers=headers, task_id=f"{event.event_id}.{task}")


def _fields(event: OutboxEvent) -> dict[str, Any]:
    return {
        "event_id": str(event.event_id),
        "tenant_id": str(event.tenant_id) if event.tenant_id else None,
        "payload": event.payload,
        "request_id": event.request_id,
        "delivery": event.deliveries + 1,
    }
