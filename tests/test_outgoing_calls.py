"""Every call to the outside: what failed for good is not tried again, what may pass is, and the sender is told."""

from __future__ import annotations

import ast
import errno
import http.client
import smtplib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core import mail
from django.core.mail import BadHeaderError

from apps.accounts.models import Invitation
from apps.accounts.services import invitations, members
from apps.audit.errors import EventRefused
from apps.audit.sinks import parse_sinks
from apps.audit.tasks import RETRIES
from apps.notifications.letters import PERSISTENT
from apps.notifications.tasks import send_invitation
from apps.tenancy.context import control
from tests.invitations.mailbox import GUEST, invite
from tests.support.clients import membership_of
from tests.support.completeness import assert_complete
from tests.support.factories import Organization

MODULES = {"smtplib", "socket", "ssl", "http.client", "urllib.request", "ftplib", "imaplib", "xmlrpc.client", "asyncio"}
LIBRARIES = {
    "requests",
    "httpx",
    "aiohttp",
    "urllib3",
    "httpcore",
    "websockets",
    "stripe",
    "sentry_sdk",
    "django.core.mail",
}
PASSES, FOR_GOOD = False, True


def refused(code: int) -> smtplib.SMTPRecipientsRefused:
    return smtplib.SMTPRecipientsRefused({GUEST: (code, b"no")})


MAIL = [
    (refused(550), FOR_GOOD),
    (refused(552), FOR_GOOD),
    (refused(450), PASSES),
    (refused(530), PASSES),
    (smtplib.SMTPSenderRefused(553, b"no", "us"), FOR_GOOD),
    (smtplib.SMTPSenderRefused(530, b"authentication required", "us"), PASSES),
    (smtplib.SMTPSenderRefused(451, b"later", "us"), PASSES),
    (smtplib.SMTPDataError(554, b"no"), FOR_GOOD),
    (smtplib.SMTPDataError(452, b"full"), PASSES),
    (smtplib.SMTPNotSupportedError("SMTPUTF8"), FOR_GOOD),
    (UnicodeError("label too long"), FOR_GOOD),
    (BadHeaderError("line break"), FOR_GOOD),
    (smtplib.SMTPServerDisconnected("gone"), PASSES),
    (smtplib.SMTPConnectError(421, b"busy"), PASSES),
    (smtplib.SMTPHeloError(550, b"who?"), PASSES),
    (smtplib.SMTPAuthenticationError(535, b"no"), PASSES),
    (ConnectionRefusedError(), PASSES),
    (TimeoutError(), PASSES),
    (socket.gaierror(), PASSES),
]
HTTP = [
    *((status, FOR_GOOD) for status in (400, 413, 415, 422)),
    *((status, PASSES) for status in (302, 401, 403, 404, 408, 409, 425, 429, 500, 502, 503, 504)),
    *((error, PASSES) for error in (ConnectionResetError(), TimeoutError(), http.client.BadStatusLine("?"))),
]
SYSLOG = [
    (OSError(errno.EMSGSIZE, "too long"), FOR_GOOD),
    (OSError(errno.ENETUNREACH, "away"), PASSES),
    (TimeoutError(), PASSES),
    (socket.gaierror(), PASSES),
]
CALLS = {  # those whose failures are in a table above
    "apps/notifications/services.py": "mails",
    "apps/audit/sinks.py": "copies of audit events",
}
OTHERS = {
    "apps/assurance/attacks/tasks.py": "reads what the memory's mailbox holds",
    "apps/notifications/filebox.py": "a folder",
    "apps/tenancy/outbox/rounds.py": "a bell between the threads of one process",
    "apps/notifications/refusals.py": "tells the failures of mails apart",
    "apps/stripe_sandbox/core/webhooks.py": "stands for Stripe, which repeats whatever is refused",
    "apps/stripe_sandbox/core/version.py": "reads the library's version",
    "apps/stripe_sandbox/contract/annotations.py": "reads the library's types",
    "apps/stripe_sandbox/coverage.py": "reads the library's methods",
    "config/observability.py": "Sentry's client sends in the background, once",
    "config/server/application.py": "serves",
    "config/server/bodies.py": "serves",
    "config/server/sockets.py": "listens",
    "config/server/threads.py": "serves",
}


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reaches_out(file: Path) -> bool:
    return any(
        name in MODULES or f"{name}.".startswith(tuple(f"{one}." for one in LIBRARIES)) for name in imported(file)
    )


def name_of(value: Any) -> str:
    return f"{type(value).__name__}: {value}"[:40]


def test_calls__found_in_the_code__are_in_the_tables():
    root = Path(settings.BASE_DIR)
    files = (file for folder in ("apps", "config") for file in (root / folder).rglob("*.py"))

    found = {str(file.relative_to(root)) for file in files if reaches_out(file)}

    assert_complete({*CALLS, *OTHERS}, found, table="tests/test_outgoing_calls.py:CALLS")


# -- mails -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def failing(monkeypatch) -> Callable[[Exception], list[None]]:
    """Have every mail fail; the list grows with each try."""

    def fail(error: Exception) -> list[None]:
        tries: list[None] = []

        def send(*args: Any) -> None:
            tries.append(None)
            raise error

        monkeypatch.setattr(mail.EmailMultiAlternatives, "send", send)
        return tries

    return fail


def deliver(organization: Organization, invitation: Invitation, event_id: str) -> None:
    with organization.inside():
        send_invitation(event_id=event_id, invitation_id=str(invitation.id), generation=invitation.generation)


def undeliverable(organization: Organization, invitation: Invitation) -> bool:
    with control("look"):
        return Invitation.objects.get(id=invitation.id).undeliverable_at is not None


@pytest.mark.parametrize(("error", "for_good"), MAIL, ids=name_of)
def test_mail__that_failed__is_tried_again_only_where_that_can_help(acme, failing, error, for_good):
    tries, invitation, event = failing(error), invite(acme), str(uuid4())

    for _ in range(2):
        try:
            deliver(acme, invitation, event)
        except PERSISTENT["autoretry_for"]:
            assert not for_good

    assert len(tries) == (1 if for_good else 2)
    assert undeliverable(acme, invitation) == for_good


@pytest.mark.parametrize(
    ("locale", "words"), [("en", "Could not be delivered"), ("de", "Konnte nicht zugestellt werden")]
)
def test_invitation__that_could_not_be_delivered__says_so_until_it_is_sent_again(acme, failing, sign_in, locale, words):
    failing(refused(550))
    with acme.inside():
        members.update_profile(actor=acme.subject, member_id=membership_of(acme).id, locale=locale)
    invitation, browser = invite(acme), sign_in(acme)
    deliver(acme, invitation, str(uuid4()))

    def seen() -> tuple[bool, bool]:
        page = browser.get("/invitations/").content.decode()
        row = browser.get(f"/api/v1/invitations/{invitation.id}").json()
        return words in page, row["undeliverable_at"] is not None

    assert seen() == (True, True)
    invitations.resend(actor=acme.subject, invitation_id=invitation.id)
    assert seen() == (False, False)


def test_invitation__sent_again_before_the_older_mail_was_refused__is_not_blamed(acme):
    invitation = invite(acme)
    invitations.resend(actor=acme.subject, invitation_id=invitation.id)

    invitations.note_undeliverable(invitation)

    assert not undeliverable(acme, invitation)


# -- copies of audit events ------------------------------------------------------------------------------------------


def copied(url: str) -> None:
    (sink,) = parse_sinks([url])
    sink.deliver({"id": str(uuid4()), "occurred_at": "2026-11-28T08:00:00+00:00"})


def assert_tried_again(url: str, *, for_good: bool) -> None:
    with pytest.raises(EventRefused if for_good else RETRIES["autoretry_for"]):
        copied(url)
    assert not issubclass(EventRefused, RETRIES["autoretry_for"])


class Answer:
    def __init__(self, status: int) -> None:
        self.status = status


@pytest.mark.parametrize(("outcome", "for_good"), HTTP, ids=name_of)
def test_http_sink__that_failed__is_tried_again_only_where_that_can_help(monkeypatch, outcome, for_good):
    def answer(*args: Any) -> Answer:
        if isinstance(outcome, Exception):
            raise outcome
        return Answer(outcome)

    monkeypatch.setattr(http.client.HTTPConnection, "request", lambda *args: None)
    monkeypatch.setattr(http.client.HTTPConnection, "getresponse", answer)

    assert_tried_again("http://siem.example/", for_good=for_good)


@pytest.mark.parametrize("scheme", ["syslog", "syslog+tcp"])
@pytest.mark.parametrize(("error", "for_good"), SYSLOG, ids=name_of)
def test_syslog_sink__that_failed__is_tried_again_only_where_that_can_help(monkeypatch, scheme, error, for_good):
    def fail(*args: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(socket, "create_connection", fail)
    monkeypatch.setattr(socket, "getaddrinfo", fail)

    assert_tried_again(f"{scheme}://siem.example:514", for_good=for_good)


def test_file_sink__without_its_folder__is_tried_again(tmp_path):
    assert_tried_again(f"file://{tmp_path}/none/events", for_good=False)
