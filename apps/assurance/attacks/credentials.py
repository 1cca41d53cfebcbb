"""Tokens and keys that were altered, spent elsewhere, or made by the attacker."""

from __future__ import annotations

import base64
import json
from typing import Any

from django.urls import reverse

from ..checks import Wall, Watch
from ..targets import Pair
from .register import attack
from .visitor import Visitor, tenant_routes


@attack(
    "tokens",
    Wall.ROUTES,
    "A token cannot be turned into another organization's",
    tries="Sends the attacker's access token with the victim's tenant and user written into it: with the old "
    "signature, with none (alg none), by another method; spends its refresh token at the victim's host.",
    why="The tenant in a token is only worth what its signature is.",
)
def altered_tokens(pair: Pair, watch: Watch) -> None:
    attacker, victim = pair.attacker, pair.victim
    claims = {"tid": str(victim.tenant.id), "sub": str(victim.owner.pk)}
    paths = [route.path({}) for route in tenant_routes() if route.is_api and not (route.arguments or route.is_public)]
    for name, token in _forgeries(attacker.tokens.access, claims).items():
        visitor = Visitor(victim.host, bearer=token)
        for path in paths:
            answer = visitor.send("GET", path)
            watch.expect(answer.status in {401, 403, 405}, f"GET {path} with {name} answered {answer.status}")
            watch.expect(not answer.shows(victim.marker), f"GET {path} with {name} showed the victim's marker")
    refresh = Visitor(victim.host).send(
        "POST", reverse("api-refresh"), {"refresh": attacker.tokens.refresh}, as_json=True
    )
    watch.expect(refresh.status in {400, 401, 403}, f"the attacker's refresh token was accepted: {refresh.status}")


def _forgeries(token: str, claims: dict[str, Any]) -> dict[str, str]:
    header, payload, signature = token.split(".")
    altered = _part({**_read(payload), **claims})
    unsigned = _part({**_read(header), "alg": "none"})
    symmetric = _part({**_read(header), "alg": "HS256"})
    return {
        "an altered token": f"{header}.{altered}.{signature}",
        "an unsigned token": f"{unsigned}.{altered}.",
        "a token signed by another method": f"{symmetric}.{altered}.{signature}",
        "a refresh token as an access token": f"{header}.{altered}",
    }


def _read(part: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
