"""Cache keys and files of a foreign organization."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import SuspiciousOperation
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django_redis import get_redis_connection

from apps.tenancy.context import control, use
from apps.tenancy.errors import ContextError, NoTenantContext
from apps.tenancy.walls.storage import TenantStorage

ESCAPES = ["../{foreign}/{name}", "/{root}/tenants/{foreign}/{name}", "a/../../{foreign}/{name}"]


def test_cache__of_a_foreign_tenant__is_empty_at_home(home, foreign):
    with foreign.inside():
        cache.set("key", "theirs")

    with home.inside():
        assert cache.get("key") is None
        assert cache.get_many(["key"]) == {}
        assert list(cache.iter_keys("*")) == []
        cache.delete("key")
        cache.delete_pattern("*")
        cache.set("key", "ours")
    with foreign.inside():
        assert cache.get("key") == "theirs"
    with control("look"):
        assert cache.get("key") is None


@pytest.mark.parametrize("operation", ["get", "delete", "incr"])
def test_cache__without_a_context__is_refused(database, operation):
    with use(None), pytest.raises(NoTenantContext):
        getattr(cache, operation)("key")


def test_cache__cleared__is_refused(home):
    with home.inside(), pytest.raises(ContextError):
        cache.clear()


def test_cache__every_key__is_led_by_its_owner(home):
    with home.inside():
        cache.set("key", 1)
        cache.add("other", 1)

    stored = {key.decode() for key in get_redis_connection("default").keys("tenantry:*")}

    assert stored == {f"tenantry:{home.tenant.id.hex}:1:{name}" for name in ("key", "other")}


@pytest.mark.parametrize("escape", ESCAPES)
@pytest.mark.parametrize("operation", ["open", "exists", "delete", "size", "path", "save"])
def test_file__of_a_foreign_tenant__cannot_be_named(home, loot, untouched, escape, operation):
    name = escape.format(
        foreign=loot.organization.tenant.id.hex, name=loot.document.file.name, root=str(settings.MEDIA_ROOT).strip("/")
    )

    with home.inside(), pytest.raises(SuspiciousOperation):
        if operation == "save":
            default_storage.save(name, ContentFile(b"overwritten"))
        else:
            getattr(default_storage, operation)(name)


def test_file__with_a_foreign_files_name__is_not_there(home, loot):
    with home.inside():
        assert not default_storage.exists(loot.document.file.name)
        with pytest.raises(FileNotFoundError):
            default_storage.open(loot.document.file.name)


def test_file__without_a_context__is_refused(loot):
    with use(None), pytest.raises(NoTenantContext):
        default_storage.open(loot.document.file.name)


def test_file__has_no_public_address(home, own):
    with home.inside(), pytest.raises(NotImplementedError):
        TenantStorage().url(own.document.file.name)


def test_files__stored__lie_under_their_tenants_folder(home, own):
    assert [f.read_bytes() for f in home.folder.rglob("*") if f.is_file()] == [own.word.encode()]
