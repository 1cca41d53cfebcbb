"""How an organization shows itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4
from zoneinfo import available_timezones

import imagesize
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.audit.actors import Actor
from apps.audit.services import difference, state
from apps.core.preconditions import check_unchanged
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic, lock

from .. import directory
from ..errors import InvalidTimeZone, LogoLinkRefused, LogoNotFound, LogoRefused
from ..models import Profile, Tenant
from ..selectors import profile_of

FIELDS = ("locale", "time_zone", "brand_name", "brand_color")
LOGO_SALT = "tenants.logo"
LOGO_MAX_BYTES = 512 * 1024
LOGO_MAX_PIXELS = 2048  # a side
SIGNATURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}


def update_profile(*, actor: Actor, tenant_id: UUID, expected: str = "", **changes: str) -> Profile:
    """Change name, locale, time zone or branding. Raises PreconditionFailed, InvalidTimeZone."""
    if changes.get("time_zone", "UTC") not in available_timezones():
        raise InvalidTimeZone(field="time_zone")
    with control("change settings"), atomic():
        profile = _locked(tenant_id)
        check_unchanged(profile, expected)
        tenant = profile.tenant
        before = {**state(profile, *FIELDS), "name": tenant.name}
        if "brand_color" in changes:
            changes["brand_color"] = changes["brand_color"].lower()
        changed = difference(before, changes)
        for name, (_, value) in changed.items():
            setattr(tenant if name == "name" else profile, name, value)
        if changed:
            Tenant.objects.filter(id=tenant_id).update(name=tenant.name)
            directory.changed(tenant_id)
            profile.save()
            audit.record("settings.updated", actor=actor, resource=profile, tenant_id=tenant_id, changes=changed)
    return profile


def set_logo(*, actor: Actor, tenant_id: UUID, upload: UploadedFile) -> Profile:
    """Store a logo in the organization's own storage. Raises LogoRefused."""
    content_type = _checked(upload)
    name = default_storage.save(f"branding/{uuid4().hex}", upload)
    try:
        profile, old = _replace_logo(actor, tenant_id, name, content_type)
    except BaseException:
        default_storage.delete(name)
        raise
    if old:
        default_storage.delete(old)
    return profile


def remove_logo(*, actor: Actor, tenant_id: UUID) -> None:
    _, old = _replace_logo(actor, tenant_id, "", "")
    if old:
        default_storage.delete(old)


def open_logo(profile: Profile) -> tuple[File[Any], str]:
    """The logo and its content type. Raises LogoNotFound."""
    try:
        if profile.logo:
            return default_storage.open(profile.logo), profile.logo_type
    except FileNotFoundError as error:
        raise LogoNotFound from error
    raise LogoNotFound


def logo_token(profile: Profile) -> str:
    """What makes the address of a logo, and of no other, public: mails are read by people who are not signed in."""
    return salted_hmac(LOGO_SALT, profile.logo, algorithm="sha256").hexdigest()[:32]


def check_logo_token(profile: Profile, token: str) -> None:
    """Raises LogoLinkRefused."""
    if not profile.has_logo or not constant_time_compare(token, logo_token(profile)):
        raise LogoLinkRefused


def _replace_logo(actor: Actor, tenant_id: UUID, name: str, content_type: str) -> tuple[Profile, str]:
    with control("change the logo"), atomic():
        profile = _locked(tenant_id)
        old, profile.logo, profile.logo_type = profile.logo, name, content_type
        if old or name:
            profile.save()
            directory.changed(tenant_id)
            changes = {"has_logo": [bool(old), bool(name)]}
            audit.record("settings.logo_changed", actor=actor, resource=profile, tenant_id=tenant_id, changes=changes)
    return profile, old


def _locked(tenant_id: UUID) -> Profile:
    lock(f"profile {tenant_id}")
    return profile_of(tenant_id)


def _checked(upload: UploadedFile) -> str:
    """What kind of picture it is, by its first bytes; markup such as SVG could carry a script."""
    if (upload.size or 0) > LOGO_MAX_BYTES:
        raise LogoRefused(_("A logo may have up to %(limit)s KB.") % {"limit": LOGO_MAX_BYTES // 1024}, field="file")
    head = upload.read(16)
    upload.seek(0)
    for signature, content_type in SIGNATURES.items():
        if head.startswith(signature) and (content_type != "image/webp" or head[8:12] == b"WEBP"):
            _check_size(upload)
            return content_type
    raise LogoRefused(field="file")


def _check_size(upload: UploadedFile) -> None:
    """Whoever shows a picture makes room for its pixels before they are read, and a small file may have many."""
    width, height = imagesize.get(upload)
    upload.seek(0)
    if width < 1 or height < 1:
        raise LogoRefused(field="file")
    if max(width, height) > LOGO_MAX_PIXELS:
        raise LogoRefused(
            _("A logo may have up to %(limit)s pixels a side.") % {"limit": LOGO_MAX_PIXELS}, field="file"
        )
