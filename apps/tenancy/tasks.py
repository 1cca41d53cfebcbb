"""Celery tasks run in the context they were sent from, or not at all."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import Task, current_app
from django_tenants.utils import get_tenant_model

from apps.core.errors import NotFoundError

from . import outbox
from .context import Context, ControlContext, TenantContext, current, use
from .errors import NoTenantContext, TaskRefused
from .outbox.relay import OutboxEvent

TENANT_HEADER = "tenant_id"
OUTBOX_HEADER = "outbox"  # the database whose outbox the event is kept in until its tasks are done
LOG_CONTEXT_HEADER = "__django_structlog__"  # bound to the task's log lines by django-structlog


class ContextTask(Task):  # type: ignore[misc]
    """The base of every task.

    By default a task belongs to a tenant: it can be sent only from a tenant context, whose id travels in the
    message header, and a message without one is refused. ``control_reason`` declares one for the control plane.
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

    @property
    def tenant_id(self) -> UUID:
        """The tenant that the message is about, as the outbox or the sender's context had it. Raises TaskRefused."""
        if self.about is None:
            raise TaskRefused(f"{self.name} came without a tenant.")
        return self.about

    @property
    def about(self) -> UUID | None:
        """The same, of a message that may be about nobody in particular."""
        tenant_id = (self.request.headers or {}).get(TENANT_HEADER)
        return UUID(tenant_id) if tenant_id else None

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


def publish(task: str, event: OutboxEvent) -> None:
    """Send an outbox event to a task, with its tenant in the header and an id that stays the same when repeated."""
    headers: dict[str, Any] = {LOG_CONTEXT_HEADER: {"request_id": event.request_id}, OUTBOX_HEADER: event.database}
    if event.tenant_id:
        headers[TENANT_HEADER] = str(event.tenant_id)
    kwargs = {"event_id": str(event.event_id), **event.payload}
    current_app.send_task(task, kwargs=kwargs, headers=headers, task_id=f"{event.event_id}.{task}")
