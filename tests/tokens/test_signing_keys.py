"""The keys that tokens are signed with, and their rotation."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import jwt
import pytest
from django.conf import settings as configuration
from django.utils import timezone

from apps.accounts.keyset import keyset
from apps.accounts.models import SigningKey
from apps.accounts.services.signing_keys import replace_signing_keys, rotate_signing_keys
from apps.audit.actors import SYSTEM
from apps.tenancy.context import control
from tests.support.clients import APEX, Program, issue

from .logins import JWKS, REFRESH, works


@pytest.fixture
def signing_keys(acme) -> Iterator[None]:
    """The keys that are there, restored after the test."""
    issue(acme)
    with control("read the keys"):
        kept = list(SigningKey.objects.values_list("id", flat=True))
    yield
    with control("restore the keys"):
        SigningKey.objects.exclude(id__in=kept).delete()
        SigningKey.objects.update(retires_at=None)
    keyset.forget()


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def test_rotation__of_the_signing_key__signs_nobody_out_and_signs_anew_after_the_notice(acme, signing_keys):
    before = issue(acme)
    new = rotate_signing_keys(actor=SYSTEM)
    keyset.forget()

    during = issue(acme)
    published = {key["kid"] for key in Program(APEX).get(JWKS).json()["keys"]}
    with control("let the notice pass"):
        SigningKey.objects.filter(id=new.id).update(signs_from=timezone.now())
    keyset.forget()
    after = issue(acme)

    assert published >= {kid_of(before.access), str(new.id)}
    assert kid_of(during.access) == kid_of(before.access) != str(new.id)
    assert kid_of(after.access) == str(new.id)
    assert all(works(acme, pair.access) for pair in (before, during, after))
    assert Program(acme.host).post(REFRESH, {"refresh": before.refresh}).status_code == 200


def test_rotation__of_the_signing_key__retires_the_old_one_when_its_last_token_is_over(acme, signing_keys):
    replace_signing_keys(actor=SYSTEM)  # one that no rotation before has told when to retire
    keyset.forget()
    before = issue(acme)
    rotate_signing_keys(actor=SYSTEM)
    old = SigningKey.objects.filter(id=kid_of(before.access))
    with control("let time pass"):
        longest = timedelta(seconds=configuration.REFRESH_TOKEN_SECONDS + configuration.SIGNING_KEY_NOTICE_SECONDS)
        assert old.get().retires_at - timezone.now() > longest - timedelta(minutes=1)
        old.update(retires_at=timezone.now())
        SigningKey.objects.filter(retires_at=None).update(signs_from=timezone.now())
    keyset.forget()

    assert not works(acme, before.access)
    assert kid_of(before.access) not in {key["kid"] for key in Program(APEX).get(JWKS).json()["keys"]}


def test_replacement__of_the_signing_keys__voids_what_they_signed(acme, signing_keys):
    before = issue(acme)
    assert works(acme, before.access)  # so that the process has it among the verified ones
    new = replace_signing_keys(actor=SYSTEM)
    keyset.forget()

    assert not works(acme, before.access)
    assert Program(acme.host).post(REFRESH, {"refresh": before.refresh}).status_code == 401
    after = issue(acme)
    assert kid_of(after.access) == str(new.id)
    assert works(acme, after.access)
    assert [key["kid"] for key in Program(APEX).get(JWKS).json()["keys"]] == [str(new.id)]


def test_rotation__before_there_is_any_key__leaves_one_that_signs(acme, signing_keys):
    with control("retire all keys"):
        SigningKey.objects.update(retires_at=timezone.now())

    new = rotate_signing_keys(actor=SYSTEM)
    keyset.forget()

    assert kid_of(issue(acme).access) == str(new.id)


def test_token__that_needs_the_very_first_key__is_signed_by_it(acme, signing_keys):
    with control("retire all keys"):
        SigningKey.objects.update(retires_at=timezone.now())
    keyset.forget()

    assert works(acme, issue(acme).access)
