"""Attacks on live, throw-away organizations."""

from . import connections, credentials, routes, statements, stores, tasks
from .register import attack

__all__ = ["ATTACKS", "connections", "credentials", "routes", "statements", "stores", "tasks"]

ATTACKS = sorted(attack.checks, key=lambda check: check.id == routes.LAST)
