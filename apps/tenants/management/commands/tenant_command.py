from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django_tenants.management.commands import tenant_command
from django_tenants.utils import get_public_schema_name

from apps.tenancy.context import control, current, use

from ...models import Tenant
from ...stock_commands import in_a_sentence


class Command(tenant_command.Command):  # type: ignore[misc]
    """django-tenants' command, which looks tenants up before it enters one."""

    help = (
        "Run any other command in one organization's context, or in the control plane: "
        "tenant_command NAME --schema SLUG|public [OPTIONS]. Exit codes: 1 not possible, else those of the command."
    )

    def run_from_argv(self, argv: list[str]) -> None:
        """The parent reads the other command's options only here."""
        named = len(argv) > 2 and not argv[2].startswith("-")
        try:
            with in_a_sentence(), use(current()):
                super().run_from_argv(argv) if named else BaseCommand.run_from_argv(self, argv)
        except CommandError as error:
            self.stderr.write(f"{error.__class__.__name__}: {error}")
            sys.exit(error.returncode)

    def handle(self, *args: Any, **options: Any) -> None:
        with in_a_sentence():
            super().handle(*args, **options)

    def get_tenant_from_options_or_interactive(self, **options: Any) -> Any:
        name = options.get("schema_name")
        if name == get_public_schema_name():
            return SimpleNamespace(schema_name=name)
        if name is None and not sys.stdin.isatty():
            raise CommandError("Name the organization with --schema SLUG, or the control plane with --schema public.")
        with control("tenant_command"):
            if name is None:
                return super().get_tenant_from_options_or_interactive(**options)
            tenant = Tenant.objects.with_placement().filter(Q(schema_name=name) | Q(slug=name)).first()
        if tenant is None:
            raise CommandError(f"There is no organization with the slug or schema name '{name}'.")
        return tenant
