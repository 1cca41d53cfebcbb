"""E-mail addresses in the one form in which every program reads them the same."""

from __future__ import annotations

import re

import idna
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from .text import without_nul

ATOM = r"[a-z0-9#$&'*+/=?^_`{|}~-]+"  # RFC 5322, 3.2.3, without what once told a mailer to send it on: % and !
LOCAL_PART = re.compile(rf"(?=.{{1,64}}\Z){ATOM}(\.{ATOM})*", re.ASCII)
ENCODED_WORD = "=?"  # RFC 2047: mailers read something else in it
validate = EmailValidator(allowlist=[])  # "localhost" is no address for people


def checked(address: str) -> str:
    """The address in small letters, with its domain as the DNS has it.

    Raises ValidationError for what is none, and for what mailers read differently: quoted or non-ASCII local parts,
    encoded words, routes, addresses of machines.
    """
    local, _at, domain = address.strip().rpartition("@")
    local = local.lower() if local.isascii() else ""
    if not LOCAL_PART.fullmatch(local) or ENCODED_WORD in local:
        raise ValidationError(validate.message, code=validate.code)
    found = f"{local}@{_as_in_dns(domain)}"
    validate(found)
    return found


def normalized_email(address: str) -> str:
    """The one form in which addresses are kept and looked for; of what is none, something that nobody has."""
    try:
        return checked(address)
    except ValidationError:
        return without_nul(address).strip().lower()


def _as_in_dns(domain: str) -> str:
    if domain.startswith("["):
        return ""
    try:
        return idna.encode(domain, uts46=True, std3_rules=True).decode().lower()
    except idna.IDNAError:
        return ""
