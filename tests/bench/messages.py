"""How many messages go to PostgreSQL, counted on the wire."""

from __future__ import annotations

from typing import Any

from .report import Aim, measured, say
from .servers import Servers
from .worker import Worker

NAME = "messages"
PROXIED = {"PROXIED": "1"}
ALONE = "plain"
REQUEST = "request"
SESSION, TOKEN = (f"GET /api/v1/projects, 20 rows, {credential}" for credential in ("session", "token"))


def run(servers: Servers) -> None:
    """Count for both projects and compare."""
    servers.create_databases(ours=["ours_few"], stock=["stock_few"])
    ours = _counts(Worker("ours", servers.ours("ours_few") | PROXIED, name=f"{NAME}-ours"))
    stock = _counts(Worker("stock", servers.stock("stock_few") | PROXIED, name=f"{NAME}-stock"))
    for project, counts in (("ours", ours), ("stock", stock)):
        for case, numbers in counts.items():
            say(f"{NAME}: {project}, {case}: {numbers['most']} = {' | '.join(numbers['statements'])}")
    for case, numbers in ours.items():
        _report(case, numbers, stock[case])
    for suffix in ("", " in a transaction"):
        _report_added(f"unit of work{suffix}", ours, stock, stock[ALONE + suffix])


def _counts(worker: Worker) -> dict[str, Any]:
    with worker:
        worker.call("prepare")
        counts: dict[str, Any] = worker.call("messages")
    return counts


def _report(case: str, ours: dict[str, Any], stock: dict[str, Any]) -> None:
    measured(
        NAME,
        case.replace(f"{REQUEST} with a token", TOKEN).replace(REQUEST, SESSION),
        ours["most"],
        "messages",
        baseline=stock["most"],
        aim=Aim(stock["most"]) if case in (REQUEST, f"{REQUEST} with a token") else None,
        steady=all(numbers["least"] == numbers["most"] for numbers in (ours, stock)),
        statements=ours["statements"],
        baseline_statements=stock["statements"],
    )


def _report_added(case: str, ours: dict[str, Any], stock: dict[str, Any], alone: dict[str, Any]) -> None:
    """What tenancy adds to a read on Django's own backend."""
    measured(
        NAME,
        f"added by tenancy to a {case}",
        ours[case]["most"] - alone["most"],
        "messages",
        baseline=stock[case]["most"] - alone["most"],
        aim=Aim(0),
        without_tenancy=alone["most"],
    )
