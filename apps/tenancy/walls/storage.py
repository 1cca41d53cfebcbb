"""Files under a prefix of their tenant."""

from __future__ import annotations

import os
from typing import NoReturn

from django.conf import settings
from django.core.files.storage import FileSystemStorage
from django.utils.deconstruct import deconstructible

from ..context import current_tenant_id


@deconstructible(path="apps.tenancy.walls.storage.TenantStorage")
class TenantStorage(FileSystemStorage):
    """Names are relative to the current tenant's folder; a name that leaves it is refused by Django.

    There are no public URLs: files leave through a view that checks who asks.
    """

    @property
    def base_location(self) -> str:  # type: ignore[override]
        return os.path.join(settings.MEDIA_ROOT, "tenants", current_tenant_id().hex)

    @property
    def location(self) -> str:  # type: ignore[override]
        return os.path.abspath(self.base_location)

    def url(self, name: str | None) -> NoReturn:
        raise NotImplementedError("Tenant files have no public URL; link to the view that serves them.")
