from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ... import databases
from ...errors import DatabaseNotConfigured
from ...schemas import server


class Command(BaseCommand):
    help = (
        "Prepare a PostgreSQL server: roles, privileges and the platform schema. Safe to repeat. Connects as the "
        "owner (CREATEROLE; CREATEDB for tenants with their own database). Exit codes: 0 ready, 1 not possible."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012  the tables that checks look at are not there yet

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--login-url", default=settings.DATABASE_URL, help="default: DATABASE_URL")
        parser.add_argument("--operator-url", default=settings.DATABASE_OPERATOR_URL)

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["operator_url"]:
            raise CommandError("Set DATABASE_OPERATOR_URL: its user is made by this command.")
        login, operator = (databases.parse_url(options[name]) for name in ("login_url", "operator_url"))
        if not all(url[part] for url in (login, operator) for part in ("USER", "PASSWORD", "HOST", "NAME")):
            raise CommandError("The URLs must be of the form postgres://user:password@host:port/database.")
        try:
            with psycopg.connect(databases.owner_url(), autocommit=True) as connection:
                server.prepare_roles(
                    connection,
                    login=(login["USER"], login["PASSWORD"]),
                    operator=(operator["USER"], operator["PASSWORD"]),
                )
                server.prepare_database(connection, login=login["USER"], operator=operator["USER"])
        except (DatabaseNotConfigured, PermissionError, psycopg.Error) as error:
            raise CommandError(str(error).strip()) from error
        self.stdout.write(f"Roles and the platform schema of {login['NAME']} are ready.")
