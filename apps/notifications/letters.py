"""Letters: kinds of mail. An app declares its own in a module ``mails``, and sends them from its tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.urls import reverse

from apps.accounts.models import Membership
from apps.core.locales import Reader
from apps.tenancy.context import current_tenant
from apps.tenancy.tasks import retrying
from apps.tenants.branding import Brand, brand_of
from apps.tenants.links import link
from apps.tenants.models import Profile
from apps.tenants.selectors import primary_domain, profile_of
from apps.tenants.services.profiles import logo_token

from .composition import Composed, compose
from .services import send_email_once

SHOWN_IN_MAILS = frozenset({"image/png", "image/jpeg"})
PERSISTENT = retrying(OSError, attempts=10, longest_pause=600)  # options of a task that sends: mail servers come and go
LETTERS: dict[str, Letter] = {}


@dataclass(frozen=True)
class Letter:
    """A kind of mail, named after its template in templates/emails; ``sample`` is what development shows it with."""

    name: str
    sample: dict[str, Any]
    brand: Brand

    def composed(self) -> Composed:
        return compose(self.name, self.sample, self.brand)


def letter(name: str, *, brand: Brand | None = None, **sample: Any) -> Letter:
    """Declare a letter, with a sample of what its template is given."""
    LETTERS[name] = Letter(name, sample, brand or Brand())
    return LETTERS[name]


def send(letter: Letter, *, to: str, key: str, path: str, member: Membership | None = None, **context: Any) -> bool:
    """Write from the current organization to a member, or to somebody of whom it knows no language but its own.

    ``path`` is what the button of the mail opens; ``key`` tells this mail from all others, and is sent once. The
    template is given the rest of the context, the ``organization`` and the ``address``. False if it can never be
    delivered: tell whoever asked for it where they look. Raises MailInHand, and OSError if the mail server is away:
    give a task that sends the options PERSISTENT.
    """
    tenant_id = current_tenant().tenant_id
    profile, domain = profile_of(tenant_id), primary_domain(tenant_id)
    context |= {"organization": profile.name, "address": link(domain.domain, path)}
    own = (member.locale, member.time_zone) if member else ("", "")
    reader = Reader.of(own, (profile.locale, profile.time_zone))
    brand = brand_of(profile, _logo_address(profile, domain.domain))
    return send_email_once(to=to, template=letter.name, context=context, key=key, brand=brand, reader=reader)


def path_to(route: str, **ids: Any) -> str:
    """The path of a page on an organization's host."""
    return reverse(route, kwargs=ids, urlconf=settings.ROOT_URLCONF)


def _logo_address(profile: Profile, host: str) -> str:
    """Where mail programs get the logo; nowhere if it is of a kind they do not show, or would not come by https."""
    if settings.PUBLIC_SCHEME != "https" or profile.logo_type not in SHOWN_IN_MAILS:
        return ""
    return link(host, path_to("mailed-logo", token=logo_token(profile)))
