from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from apps.core import addresses
from apps.core.errors import DomainError
from apps.tenants.links import link
from apps.tenants.models import Placement
from apps.tenants.services import provisioning
from apps.tenants.slugs import slugify

from ... import services
from ...errors import OrganizationExists
from ...services import SignUp

NOT_POSSIBLE, TAKEN, STILL_PROVISIONING = 1, 3, 4


class Command(BaseCommand):
    help = (
        "Create an organization, or find the one that an earlier run created. Exit codes: 0 it is ready, 1 not "
        "possible, 2 wrong usage, 3 the name belongs to another owner, 4 it is still being provisioned."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--owner-email", required=True)
        parser.add_argument("--placement", choices=Placement.Kind.values, default="")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            addresses.checked(options["owner_email"])
            result = self._previewed(options) if options["dry_run"] else self._provisioned(options)
        except ValidationError as error:
            raise CommandError("--owner-email is not an e-mail address.", returncode=2) from error
        except OrganizationExists as error:
            raise CommandError(error.message, returncode=TAKEN) from error
        except DomainError as error:
            raise CommandError(error.message, returncode=NOT_POSSIBLE) from error
        self._say(result, as_json=options["json"])
        if result["status"] == "provisioning":
            raise CommandError("The provisioner has been asked to finish it.", returncode=STILL_PROVISIONING)

    def _provisioned(self, options: dict[str, Any]) -> dict[str, Any]:
        outcome = services.ensure_organization(
            organization=options["name"], owner_email=options["owner_email"], placement=options["placement"]
        )
        if not outcome.is_ready and settings.DATABASE_OWNER_URL:
            outcome = SignUp(provisioning.finish(outcome.tenant.id), outcome.owner, outcome.created)
        return _summary(outcome)

    def _previewed(self, options: dict[str, Any]) -> dict[str, Any]:
        name, kind = services.validated(organization=options["name"], placement=options["placement"])
        existing = services.find_organization(
            organization=name, owner_email=options["owner_email"], placement=options["placement"]
        )
        if existing:
            return _summary(existing)
        return {"slug": slugify(name), "status": "would be created", "placement": kind, "created": False}

    def _say(self, result: dict[str, Any], *, as_json: bool) -> None:
        line = json.dumps(result) if as_json else "  ".join(f"{key}={value}" for key, value in result.items())
        self.stdout.write(line)


def _summary(outcome: SignUp) -> dict[str, Any]:
    tenant = outcome.tenant
    return {
        "id": str(tenant.id),
        "slug": tenant.slug,
        "status": str(tenant.status),
        "placement": tenant.requested_placement,
        "owner": outcome.owner.email,
        "url": link(f"{tenant.slug}.{settings.BASE_DOMAIN}"),
        "created": outcome.created,
    }
