"""Cache keys and files of another organization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import SuspiciousOperation
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from apps.tenancy.context import control, use
from apps.tenancy.errors import ContextError, NoTenantContext

from ..checks import Wall, Watch
from ..targets import Pair
from .register import attack

KEY = "probe"
ESCAPES = (
    "../{folder}/{name}",
    "a/../../{folder}/{name}",
    "/{root}/tenants/{folder}/{name}",
    "..\\{folder}\\{name}",
    "./../{folder}/{name}",
)


@attack(
    "cache",
    Wall.STORES,
    "A cache key is one tenant's",
    tries="Writes the same key in both organizations and in the control plane; reads, overwrites and deletes it from "
    "the other side; uses the cache without a context; tries to clear it.",
    why="One shared key is enough to show one tenant's page to another.",
)
def cache_keys(pair: Pair, watch: Watch) -> None:
    with use(pair.victim.context):
        cache.set(KEY, pair.victim.marker, timeout=60)
        theirs = cache.make_key(KEY)
    with use(pair.attacker.context):
        watch.expect(cache.get(KEY) is None, "the attacker read the victim's cache key")
        watch.expect(
            cache.get_many([KEY, theirs]) == {}, "the attacker read the victim's cache keys by their stored name"
        )
        cache.set(KEY, pair.attacker.marker, timeout=60)
        cache.delete(theirs)
        cache.delete(KEY)
        tenant = pair.attacker.tenant.id.hex
        watch.expect(f":{tenant}:" in cache.make_key(KEY), "a stored key does not name its tenant")
        watch.expect(_ends_with(ContextError, cache.clear), "a tenant could clear everybody's cache")
    with control("read a tenant's cache key"):
        watch.expect(cache.get(KEY) != pair.victim.marker, "the control plane read the victim's cache key")
    with use(None):
        for operation in (cache.get, cache.delete, cache.incr):
            refused = _ends_with(NoTenantContext, operation, KEY)
            watch.expect(refused, f"cache.{operation.__name__}() worked without a context")
    with use(pair.victim.context):
        watch.expect(cache.get(KEY) == pair.victim.marker, "the attacker changed the victim's cache key")
        cache.delete(KEY)


@attack(
    "files",
    Wall.STORES,
    "A file name does not lead out of its tenant's folder",
    tries="Opens, measures, overwrites and deletes the victim's file by its name, by paths with '..', by absolute "
    "paths, and without a context.",
    why="Files have no row-level security: the folder is the wall.",
)
def files(pair: Pair, watch: Watch) -> None:
    with use(pair.victim.context):
        name = default_storage.save("probe/bait", ContentFile(pair.victim.marker.encode()))
    names = {"folder": pair.victim.tenant.id.hex, "name": name, "root": str(settings.MEDIA_ROOT).strip("/")}
    with use(pair.attacker.context):
        watch.expect(not default_storage.exists(name), "the victim's file name exists for the attacker")
        watch.expect(_ends_with(FileNotFoundError, default_storage.open, name), "the attacker opened the victim's file")
        for escape in ESCAPES:
            _escape(watch, escape.format(**names))
    with use(None):
        refused = _ends_with(NoTenantContext, default_storage.open, name)
        watch.expect(refused, "a file could be opened without a context")
    with use(pair.victim.context):
        with default_storage.open(name) as file:
            watch.expect(file.read() == pair.victim.marker.encode(), "the attacker changed the victim's file")
        default_storage.delete(name)


def _escape(watch: Watch, name: str) -> None:
    operations: list[Callable[[str], Any]] = [
        default_storage.open,
        default_storage.size,
        default_storage.delete,
        lambda path: default_storage.save(path, ContentFile(b"overwritten")),
    ]
    for operation in operations:
        try:
            outcome = operation(name)
        except (SuspiciousOperation, OSError):
            watch.attempts += 1
            continue
        inside = isinstance(outcome, str) and ".." not in outcome and not outcome.startswith("/")
        watch.expect(outcome is None or inside, f"the path {name} led somewhere")


def _ends_with(expected: type[Exception], act: Callable[..., Any], *arguments: Any) -> bool:
    try:
        act(*arguments)
    except expected:
        return True
    return False
