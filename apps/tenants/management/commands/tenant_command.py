from __future__ import annotations

from typing import Any

from django_tenants.management.commands import tenant_command

from apps.tenancy.context import control


class Command(tenant_command.Command):  # type: ignore[misc]
    """django-tenants' command, which looks tenants up before it enters one."""

    def get_tenant_from_options_or_interactive(self, **options: Any) -> Any:
        with control("tenant_command"):
            return super().get_tenant_from_options_or_interactive(**options)
