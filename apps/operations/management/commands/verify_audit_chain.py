from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from apps.audit.chain import Chain, control_chain, tenant_chain
from apps.audit.verification import ChainReport, owners_of_control_chains, verify
from apps.core.errors import DomainError
from apps.tenancy.context import Context, ControlContext, use
from apps.tenants.models import Tenant
from apps.tenants.selectors import all_tenants, tenant_for_slug

CONTROL = ControlContext("verify audit chains")
INTACT, NOT_POSSIBLE, TAMPERED = 0, 1, 3


class Command(BaseCommand):
    help = (
        "Compare the audit logs with their seals and anchors. "
        "Exit codes: 0 intact, 1 not possible, 2 wrong usage, 3 somebody changed a log."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="only what was recorded about and inside this one")
        parser.add_argument("--json", action="store_true", help="one JSON object per chain per line")

    def handle(self, *args: Any, **options: Any) -> None:
        self.slugs = {tenant.id: tenant.slug for tenant in all_tenants()}
        contexts = _contexts_of(options["tenant"]) if options["tenant"] else _all_contexts()
        verdicts = set()
        for number, (context, chain) in enumerate(contexts, start=1):
            self._progress(f"chain {number} of {len(contexts)}")
            verdicts.add(self._verdict(context, chain, as_json=options["json"]))
        if verdicts != {INTACT}:
            sys.exit(max(verdicts))

    def _verdict(self, context: Context, chain: Chain, *, as_json: bool) -> int:
        try:
            with use(context):
                report = verify(chain)
        except DatabaseError as error:
            self._progress("")
            self.stderr.write(f"{chain} cannot be verified: {str(error).strip()}")
            return NOT_POSSIBLE
        self._progress("")
        self._show(report, as_json=as_json)
        return INTACT if report.intact else TAMPERED

    def _show(self, report: ChainReport, *, as_json: bool) -> None:
        tenant = self.slugs.get(report.tenant, str(report.tenant)) if report.tenant else None
        if as_json:
            self.stdout.write(json.dumps({**report.as_json(), "tenant": tenant}, default=str))
            return
        verdict = "intact" if report.intact else "TAMPERED"
        counts = f"{report.events} events, {report.sealed} sealed, {report.unsealed} not yet"
        end = f"; ends with {report.hash}" if report.hash else ""
        self.stdout.write(f"{tenant or 'platform'} ({report.chain}): {verdict}; {counts}{end}")
        for finding in report.findings:
            self.stdout.write(f"  {finding}")

    def _progress(self, line: str) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r\x1b[K{line}", ending="")
            self.stderr.flush()


def _contexts_of(slug: str) -> list[tuple[Context, Chain]]:
    tenant = tenant_for_slug(slug)
    if tenant is None:
        raise CommandError(f"There is no organization '{slug}'.")
    try:
        return list(_chains_of(tenant))
    except DomainError as error:
        raise CommandError(error.message) from error


def _all_contexts() -> list[tuple[Context, Chain]]:
    """Every chain that can be reached: an organization that is not ready has no schema for one of its own."""
    with use(CONTROL):
        owners = owners_of_control_chains()
    found: list[tuple[Context, Chain]] = [(CONTROL, control_chain(owner)) for owner in owners]
    return [*found, *(_tenant_chain(tenant) for tenant in all_tenants() if tenant.status == Tenant.Status.READY)]


def _chains_of(tenant: Tenant) -> Iterator[tuple[Context, Chain]]:
    yield CONTROL, control_chain(tenant.id)
    yield _tenant_chain(tenant)


def _tenant_chain(tenant: Tenant) -> tuple[Context, Chain]:
    with use(tenant.context()) as context:
        return context, tenant_chain()
