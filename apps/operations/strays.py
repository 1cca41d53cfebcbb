"""Files that no row names: what an upload leaves whose process was killed between its file and its row."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.db import models

from apps.tenancy.context import control, current_tenant_id
from apps.tenancy.planes import tenant_models
from apps.tenants.models import Profile

FILES_PER_RUN = 5000
SLICE = 500
AGE_SECONDS = 24 * 3600
"""No request lasts so long: a younger file may still get its row."""
QUIET_SECONDS = 7 * AGE_SECONDS
"""In a folder that has not changed for so long, earlier runs have looked at everything."""

Named = Callable[[Iterable[str]], set[str]]


def collect_strays(*, at_most: int) -> tuple[int, int]:
    """Remove old files of the current organization that no row names; how many were looked at, and removed.

    Those to look at are drawn by lot, so that later runs reach what one run leaves. A folder of which it is not known
    what names its files is left alone.
    """
    looked_at = removed = 0
    for folder, all_named in _folders().items():
        names = list(_names(folder))
        random.shuffle(names)
        drawn = names[: at_most - looked_at]
        looked_at += len(drawn)
        for start in range(0, len(drawn), SLICE):
            old = {name for name in drawn[start : start + SLICE] if _is_old(name)}
            strays = old.difference(*(named(old) for named in all_named))
            for name in strays:
                default_storage.delete(name)
            removed += len(strays)
    return looked_at, removed


def _folders() -> dict[str, list[Named]]:
    """Which rows name the files of a folder: those of every file field, and the profile for logos."""
    found: dict[str, list[Named]] = {"branding": [_named_as_logo]}
    for model in tenant_models():
        for field in filter(_is_file, model._meta.fields):
            folder = field.generate_filename(model(), "file").split("/")[0]
            found.setdefault(folder, []).append(_named_by(model, field))
    return found


def _is_file(field: Any) -> bool:
    return isinstance(field, models.FileField)


def _named_by(model: Any, field: models.FileField) -> Named:
    def named(names: Iterable[str]) -> set[str]:
        return set(model.objects.filter(**{f"{field.name}__in": names}).values_list(field.name, flat=True))

    return named


def _named_as_logo(names: Iterable[str]) -> set[str]:
    tenant_id = current_tenant_id()
    with control("find the logo"):
        return set(Profile.objects.filter(tenant_id=tenant_id, logo__in=names).values_list("logo", flat=True))


def _names(folder: str) -> Iterator[str]:
    root = Path(default_storage.path(""))
    if not _has_changed(root / folder):
        return iter(())
    return (path.relative_to(root).as_posix() for path in (root / folder).rglob("*") if path.is_file())


def _has_changed(folder: Path) -> bool:
    return folder.is_dir() and time.time() - folder.stat().st_mtime < QUIET_SECONDS


def _is_old(name: str) -> bool:
    try:
        return time.time() - Path(default_storage.path(name)).stat().st_mtime > AGE_SECONDS
    except FileNotFoundError:  # somebody removed it meanwhile
        return False
