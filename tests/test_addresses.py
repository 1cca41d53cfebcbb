"""An e-mail address is kept in one form, and one that mailers read differently is refused, wherever it is written."""

from __future__ import annotations

from typing import Any

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from rest_framework import serializers

from apps.accounts.selectors import person_of_address
from apps.core import addresses, api_fields, form_fields
from apps.tenants.services import schema_store
from tests.support.clients import APEX, Program
from tests.support.factories import PASSWORD, add_person
from tests.support.fields import cleaned, fields

ANSWERS = ("Invitation", "Me", "Member", "Person")
FOUND: dict[str, Any] = {
    name: field
    for name, field in fields()
    if isinstance(field, forms.EmailField | serializers.EmailField) and name.partition("Serializer.")[0] not in ANSWERS
}
each_field = pytest.mark.parametrize("field", FOUND.values(), ids=FOUND.keys())

AMBIGUOUS = {
    "an encoded word": "=?utf-8?q?ada=40evil.example?=@example.com",
    "a long s, which is an s without case": "ſam@example.com",
    "the sign of Kelvin": "\u212aim@example.com",
    "letters in full width": "ａｄａ@example.com",
    "a quoted local part": '"ada lovelace"@example.com',
    "quotes around nothing": '"ada"@example.com',
    "a comment": "ada(comment)@example.com",
    "a name before it": "Ada <ada@example.com>",
    "two addresses": "ada@example.com,eve@evil.example",
    "a second at": "ada@evil.example@example.com",
    "a route": "ada%evil.example@example.com",
    "a path": "example.com!ada@example.com",
    "letters that are not ASCII": "jürgen@example.com",
    "a machine's address": "ada@[192.0.2.1]",
    "a name that each machine has for itself": "ada@localhost",
    "two dots": "ada..lovelace@example.com",
    "a dot at the end": "ada.@example.com",
    "a dot after the domain": "ada@example.com.",
    "65 characters before the at": f"{'a' * 65}@example.com",
    "a domain that decodes to ASCII": "ada@xn--example-.com",
    "a domain that is no A-label": "ada@xn--a.com",
    "a character without width": "ada@exam\u200bple\u202e.com",
    "a line break": "ada@example.com\nBcc: eve@evil.example",
    "NUL": "ada\x00@example.com",
}
ONE = {
    "Ada@EXAMPLE.com": "ada@example.com",
    " ada@example.com ": "ada@example.com",
    "ada@MÜNCHEN.example": "ada@xn--mnchen-3ya.example",
    "ada@mu\u0308nchen.example": "ada@xn--mnchen-3ya.example",
    "ada@XN--MNCHEN-3YA.example": "ada@xn--mnchen-3ya.example",
    "ada@straße.example": "ada@xn--strae-oqa.example",
    "ada@例え。テスト": "ada@xn--r8jz45g.xn--zckzah",
    "ada+lists@example.com": "ada+lists@example.com",
    "o'brien_x@sub.example.co.uk": "o'brien_x@sub.example.co.uk",
}


def test_fields__for_addresses__are_of_one_kind():
    kinds = (form_fields.AddressFormField, api_fields.AddressField)

    assert [name for name, field in FOUND.items() if not isinstance(field, kinds)] == []
    assert len(FOUND) >= 5


@each_field
@pytest.mark.parametrize("address", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_address__that_mailers_read_differently__is_refused(field, address):
    with pytest.raises(ValueError, match=r"valid|Null|null"):
        cleaned(field, address)


@each_field
@pytest.mark.parametrize(("address", "kept"), ONE.items())
def test_address__however_written__is_kept_in_one_form(field, address, kept):
    assert cleaned(field, address) == kept


@pytest.mark.parametrize("address", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_command__given_such_an_address__refuses_it(platform, database, address, monkeypatch):
    monkeypatch.setenv("STAFF_PASSWORD", PASSWORD)
    for command in (["create_staff", f"--email={address}"], ["provision_tenant", "Acme", f"--owner-email={address}"]):
        with pytest.raises(CommandError):
            call_command(*command)


def test_person__with_an_international_domain__is_one_person(acme):
    schema_store.replenish()
    program = Program(APEX)
    body = {"organization": "New", "email": "ada@münchen.example", "password": PASSWORD}
    assert program.post("auth/register", body).status_code in (201, 202)

    again = program.post(
        "auth/register", {**body, "email": "ada@xn--mnchen-3ya.example", "password": "another long password"}
    )
    login = program.post("auth/login", {"email": "ADA@XN--MNCHEN-3YA.example", "password": PASSWORD})

    assert (again.status_code, again.json()["code"]) == (409, "email_unavailable")
    assert (login.status_code, login.json()["user"]["email"]) == (200, "ada@xn--mnchen-3ya.example")


@pytest.mark.sampled(3)
@pytest.mark.parametrize("address", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_lookup__of_such_an_address__finds_nobody(acme, address):
    add_person(acme)

    assert person_of_address(address) is None


@pytest.mark.parametrize("kept", ONE.values())
def test_address__in_the_one_form__stays_as_it_is(kept):
    assert addresses.checked(kept) == kept


def test_address__that_is_none__is_told_so_in_the_words_of_fields():
    with pytest.raises(ValidationError, match="Enter a valid email address"):
        addresses.checked("nobody")
