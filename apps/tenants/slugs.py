"""Host names from whatever people call their organization."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterator

MAX_LENGTH = 40
FALLBACK = "organization"
RESERVED = frozenset(
    "admin api app apex assets auth billing blog cdn dev docs ftp health help id imap internal localhost login mail "
    "media metrics ns1 ns2 oauth pop ready root scim sign-in signin sign-up signup smtp sso staff static status "
    "support system tenant test webhooks www".split()
)
_NOT_ALLOWED = re.compile(r"[^a-z0-9]+")


def slugify(name: str) -> str:
    """A DNS label for a name: always valid, never reserved, the same for the same name."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = _NOT_ALLOWED.sub("-", plain).strip("-")[:MAX_LENGTH].strip("-")
    if slug in RESERVED:
        return f"{slug}-{FALLBACK}"[:MAX_LENGTH].strip("-")
    return slug or FALLBACK


def numbered(name: str) -> list[str]:
    """The plain slug, and a few numbered."""
    slug = slugify(name)
    return [slug, *(f"{slug}-{number}" for number in range(2, 6))]


def candidates(name: str) -> Iterator[str]:
    """Slugs to try in turn: the plain one, a few numbered, then random ones."""
    yield from numbered(name)
    for _ in range(20):
        yield f"{slugify(name)}-{secrets.token_hex(3)}"
