"""Invitations, and the mails that they and other links come in."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client

from apps.accounts.models import Invitation, Membership, User
from apps.accounts.roles import Assigned
from apps.accounts.services import invitations, tokens
from apps.tenancy import outbox
from apps.tenancy.context import control
from apps.tenancy.tasks import registered_tasks
from tests.support import servers
from tests.support.factories import PASSWORD, Organization

API = "/api/v1"

GUEST = "guest@example.com"

MAILING = ".tasks.send_"  # whatever app's

NEW_PASSWORD = "another password that is long enough"


class Postman:
    """Hands the events that wait in the outbox to the tasks that send mails, as the relay does."""

    def __init__(self) -> None:
        self._seen = {row[0] for row in self._waiting()}

    def deliver(self, organization: Organization | None = None) -> list[Any]:
        """The mails that go out: about an organization, or from the control plane."""
        mail.outbox.clear()
        for event_id, tenant_id, topic, payload in self._waiting():
            own = organization is not None and tenant_id == organization.tenant.id
            if event_id not in self._seen and (own or tenant_id is None):
                self._seen.add(event_id)
                self._hand_over(organization if own else None, topic, {"event_id": str(event_id), **payload})
        return list(mail.outbox)

    def _hand_over(self, organization: Organization | None, topic: str, arguments: dict[str, Any]) -> None:
        tasks = registered_tasks()  # which makes them subscribe
        for name in outbox.subscribers_of(topic):
            if MAILING in name:
                with organization.inside() if organization else control("tell somebody"):
                    tasks[name](**arguments)

    def _waiting(self) -> list[Any]:
        with servers.as_operator() as connection:
            rows = "SELECT event_id, tenant_id, topic, payload FROM platform.outbox ORDER BY id"
            return connection.execute(rows).fetchall()


def invite(organization: Organization, email: str = GUEST, role: str = "member") -> Invitation:
    return invitations.invite(actor=organization.subject, email=email, role=Assigned(role))


def link_in(message: Any) -> str:
    """The path of the one link to our own host."""
    (address,) = set(re.findall(r"https?://\S+", message.body))
    assert urlsplit(address).path in message.alternatives[0][0]
    return urlsplit(address).path


def anonymous(organization: Organization) -> Client:
    return Client(HTTP_HOST=organization.host, raise_request_exception=False)


def post(client: Client, path: str, **content: Any) -> Any:
    return client.post(f"{API}{path}", content, content_type="application/json")


def accept(organization: Organization, token: str, password: str = PASSWORD) -> Any:
    return post(anonymous(organization), "/invitations/accept", token=token, password=password)


def program(organization: Organization, user: User) -> Client:
    with control("look"):
        member = Membership.objects.select_related("user", "tenant", "custom_role").get(
            user=user, tenant=organization.tenant
        )
    access = tokens.issue(member).access
    return Client(HTTP_HOST=organization.host, HTTP_AUTHORIZATION=f"Bearer {access}", raise_request_exception=False)


def is_member(organization: Organization, email: str = GUEST) -> bool:
    with control("look"):
        return Membership.objects.filter(tenant=organization.tenant, user__email=email).count() == 1


def is_verified(email: str) -> bool:
    with control("look"):
        return EmailAddress.objects.filter(email=email, user__email=email, verified=True).exists()


def signs_in(organization: Organization, email: str, password: str) -> bool:
    response = post(anonymous(organization), "/auth/login", email=email, password=password)
    return bool(response.status_code == 200)
