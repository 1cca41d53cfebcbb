"""What services there are, what they recorded, and what they changed."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import apps
from apps.accounts import subjects
from apps.audit.models import ControlEvent, Event
from apps.core.encryption import EncryptedTextField
from apps.tenancy.context import control
from apps.tenancy.planes import control_models
from tests.support import servers
from tests.support.audited_acts import (
    Write,
)
from tests.support.factories import Organization


class RecordRefused(Exception):
    pass


def refuse(*args: Any, **kwargs: Any) -> None:
    raise RecordRefused


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
