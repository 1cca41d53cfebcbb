"""How much processor time one request takes, by kind: in one thread, without a server, so that little disturbs it."""

from __future__ import annotations

from .report import measured
from .servers import Servers
from .worker import Worker

NAME = "processor"
QUIET = {"LOG_LEVEL": "WARNING", "REQUESTS_PER_MINUTE_USER": "100000000", "REQUESTS_PER_MINUTE_ADDRESS": "100000000"}
LIST = "list"
TURNS = 3


def run(servers: Servers) -> None:
    """Ours and stock in turn; the least of each kind."""
    servers.create_databases(ours=["ours_processor"], stock=["stock_processor"])
    ours = Worker("ours", servers.ours("ours_processor") | QUIET, name=f"{NAME}-ours")
    stock = Worker("stock", servers.stock("stock_processor"), name=f"{NAME}-stock")
    with ours, stock:
        ours.call("prepare")
        stock.call("prepare")
        turns = [(ours.call("processor"), stock.call("processor")) for _ in range(TURNS)]
    baseline = min(theirs[LIST] for _, theirs in turns)
    for kind in turns[0][0]:
        least = min(own[kind] for own, _ in turns)
        measured(NAME, f"{kind}, one thread", least, "µs", baseline=baseline if kind == LIST else None)
