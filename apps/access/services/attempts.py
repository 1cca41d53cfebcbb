"""How often somebody may try to get in: limits that hold whoever guesses, and not whom they guess about.

What strangers try is counted by their network, by the network and the account together, and by the account. What a
device tries that is known to be the account's is counted by that device alone, so nobody else uses it up. Counted in
memory; while that is away in PostgreSQL, so that nobody gets more attempts by taking it down.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from apps.core.memory import MemoryAway
from apps.core.network import client_ip, network_of
from apps.core.text import folded
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic, lock

from .. import limits
from ..errors import TooManyAttempts
from ..limits import Policy
from ..models import Attempt

log = structlog.get_logger(__name__)

ACCOUNT_MAX_LENGTH = 320  # of an address; folding makes up to 18 characters of one, and what is longer is nobody's
SIGN_IN, SIGN_UP, RESET, LOOKUP, VERIFICATION = "sign-in", "sign-up", "reset", "lookup", "verification"
INVITATION, RECIPIENT, ACCEPTANCE, PASSWORD = "invitation", "recipient", "acceptance", "password"


def count_attempt(request: HttpRequest, action: str, account: str, *, device: str = "") -> None:
    """Count an attempt of this network, or of a ``device`` that is known to be the account's.

    Raises TooManyAttempts.
    """
    whose, network = folded(account.strip()[:ACCOUNT_MAX_LENGTH]), network_of(client_ip(request))
    who = {"device": device} if device else {"network": network, "pair": f"{network} {whose}", "account": whose}
    limit: dict[str, Any] = settings.ATTEMPT_LIMITS[action]
    for kind, name in who.items():
        if kind in limit:
            _count(Policy(f"{action}:{kind}", limit[kind], limit["seconds"]), name)
    if "also" in limit:
        count_attempt(request, limit["also"], account, device=device)


def clear_old_attempts() -> None:
    with control("clear old attempts"):
        Attempt.objects.filter(attempted_at__lt=timezone.now() - timedelta(days=1)).delete()


def _count(policy: Policy, who: str) -> None:
    key = hashlib.sha256(f"{policy.name} {who}".encode()).hexdigest()
    try:
        usage = limits.count(policy, key)
        admitted, reset = usage.admitted, usage.reset_seconds
    except MemoryAway:
        log.warning("attempts_counted_in_database")
        admitted, reset = _counted_in_database(policy, key), policy.seconds
    if not admitted:
        raise TooManyAttempts(retry_after_seconds=reset)


def _counted_in_database(policy: Policy, key: str) -> bool:
    now = timezone.now()
    with control("count attempts"), atomic():
        lock(f"attempts {key}")
        recent = Attempt.objects.filter(key=key, attempted_at__gt=now - timedelta(seconds=policy.seconds))
        if recent.count() >= policy.quota:
            return False
        Attempt.objects.create(key=key, attempted_at=now)
        return True
