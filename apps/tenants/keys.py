"""Each tenant's data keys."""

from __future__ import annotations

from contextlib import nullcontext
from uuid import UUID

from apps.core.encryption import DecryptionError, OpenedKey, new_data_key, unwrap, wrap
from apps.tenancy.context import TenantContext, control, current

from . import models


class TenantDataKeys:
    """Reads wrapped keys, in a tenant's own context its own; a tenant's first key is made on first use."""

    def newest(self, tenant_id: UUID) -> OpenedKey:
        with nullcontext() if _is_current(tenant_id) else control("encrypt a value"):
            row = models.DataKey.objects.filter(tenant_id=tenant_id).order_by("-version").first()
            return self._opened(row or self._made(tenant_id))

    def by_id(self, key_id: UUID) -> OpenedKey:
        row = None
        if isinstance(current(), TenantContext):
            row = models.DataKey.objects.filter(id=key_id).first()
        if row is None:
            with control("decrypt a value"):
                row = models.DataKey.objects.filter(id=key_id).first()
        if row is None:
            raise DecryptionError("The key was erased.")
        return self._opened(row)

    def _made(self, tenant_id: UUID) -> models.DataKey:
        version, wrapped = wrap(new_data_key(), owner=tenant_id)
        row, _ = models.DataKey.objects.get_or_create(
            tenant_id=tenant_id, version=1, defaults={"master_version": version, "wrapped": wrapped}
        )
        return row

    def _opened(self, row: models.DataKey) -> OpenedKey:
        secret = unwrap(bytes(row.wrapped), owner=row.tenant_id, version=row.master_version)
        return OpenedKey(row.id, secret)


def _is_current(tenant_id: UUID) -> bool:
    context = current()
    return isinstance(context, TenantContext) and context.tenant_id == tenant_id


data_keys = TenantDataKeys()
