"""Names are written in one way, have nothing that cannot be seen, and are not taken for another's."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from django import forms
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework import serializers

from apps.accounts.errors import RoleNameTaken
from apps.accounts.services import roles
from apps.core import api_fields, form_fields, names
from apps.onboarding.errors import InvalidName
from apps.onboarding.services import validated
from apps.projects.services import documents
from tests.support.clients import APEX, program_of
from tests.support.completeness import assert_complete
from tests.support.factories import PASSWORD, add_project
from tests.support.fields import cleaned, fields

DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
MARKS = "\u061c\u200e\u200f"
NAME_FIELDS = (form_fields.NameFormField, api_fields.NameField)
LINES = (form_fields.LinesFormField, api_fields.LinesField)
PLAIN = (forms.CharField, serializers.CharField)
# Serializers of what is answered: nothing is written with them.
ANSWERS = "Actor Entry Invitation Member Organization OrganizationDetail Page Resource Session Tokens Valid".split()
# Texts that are no names: secrets, what is looked up or one of a list, among which those of several lines are not.
SECRETS = {"password", "old_password", "new_password", "token", "refresh"}
LOOKED_UP = {"action", "person", "actor_id", "resource_id", "resource_type", "before", "after", "role", "scopes"} | {
    "permissions",
    "time_zone",
    "expected",
}
NO_NAMES = {
    "LoginSerializer.organization": "looked up by slug or id",
    "OrganizationAddressForm.organization": "the address of a host",
    "CustomFieldForm.choices": "a name on each line, see below",
    "CustomFieldForm.key": "of the letters a to z",
    "OrganizationForm.brand_color": "six digits",
    "SpecimenForm.name": "shows what fields look like, and is sent nowhere",
}


def texts() -> dict[str, Any]:
    """The fields that people write as they like."""
    found = {name: field for name, field in fields() if type(field) in (*PLAIN, *NAME_FIELDS, *LINES)}
    return {name: field for name, field in found.items() if name.partition("Serializer.")[0] not in ANSWERS}


NAMES = {name: field for name, field in texts().items() if isinstance(field, NAME_FIELDS)}
LONG = {name: field for name, field in texts().items() if isinstance(field, LINES)}
SPOOFABLE = {name for name, field in NAMES.items() if field.one_script}
each_name = pytest.mark.parametrize("field", NAMES.values(), ids=NAMES.keys())


def test_texts__all__are_names_or_something_else_for_a_reason():
    others = {name for name in texts() if name not in {**NAMES, **LONG}}
    explained = {name for name in others if name.partition(".")[2] in SECRETS | LOOKED_UP}

    assert_complete(NO_NAMES, others - explained, table="tests/test_names.py:NO_NAMES, or make it a field for names")


HIDDEN = {
    "zero width space": "a\u200bb",
    "soft hyphen": "a\u00adb",
    "byte order mark": "a\ufeffb",
    "word joiner": "a\u2060b",
    "zero width joiner between Latin letters": "a\u200db",
    "zero width joiner between Thai letters": "ก\u200dข",
    "zero width non-joiner between Georgian letters": "ა\u200cბ",
    "zero width joiner at the end": "क\u200d",
    "right-to-left override": "a\u202eb",
    "right-to-left isolate": "a\u2067b",
    "right-to-left mark": "a\u200fb",
    "Arabic letter mark": "a\u061cb",
    "Hangul filler": "a\u3164b",
    "Braille blank": "a\u2800b",
    "variation selector": "a\ufe0fb",
    "combining grapheme joiner": "a\u034fb",
    "tag": "a\U000e0041b",
    "line separator": "a\u2028b",
    "line break": "a\nb",
    "control character": "a\x1bb",
    "C1 control character": "a\x9bb",
    "private use": "a\ue000b",
    "noncharacter": "a\ufdd0b",
    "object replacement": "a\ufffcb",
    "null notehead": "a\U0001d159b",
    "Khitan filler": "a\U00016fe4b",
    "Tifinagh consonant joiner": "a\u2d7fb",
    "Brahmi number joiner": "a\U0001107fb",
    "Duployan letter selector": "a\U0001bc9db",
    "Burmese stacker between Latin letters": "a\u1039b",
    "Khmer stacker at the end": "ក\u17d2",
    "two Khmer stackers": "ក\u17d2\u17d2ក",
    "noncharacter at the end of a plane": "a\ufffeb",
    "noncharacter at the end of another plane": "a\U0001fffeb",
    "unassigned in a block of letters": "a\u0378b",
    "unassigned among those that are ignored": "a\U000e1000b",
    "selector without a picture": "❤\ufe0f\ufe0f",
}


@each_name
@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN.keys())
def test_name__with_what_cannot_be_seen__is_refused(field, text):
    with pytest.raises(ValueError, match=r"Invisible|Null|allowed"):
        cleaned(field, text)


UNSAID = ["\u0301", "\u0301\u0302", "...", "- -", "\u0e31"]
HEAPED = ["Z" + "\u0334\u0335\u0336\u0337\u0338", "ok Z" + "\u0334" * 40, "ก" + "\u0e49" * 5]


@each_name
@pytest.mark.parametrize(("text", "fault"), [*((t, "at least one") for t in UNSAID), *((t, "four") for t in HEAPED)])
def test_name__of_marks_alone_or_in_heaps__is_refused(field, text, fault):
    with pytest.raises(ValueError, match=fault):
        cleaned(field, text)


MANY_MARKS = [
    "ที่นี่",
    "שִּׁ֗בְרָה",
    "བསྒྲུབས",
    "ཧཱུྃ",
    "လျှို့ဝှက်",
    "ស្ត្រី",
    "सत्त्व",
]


@each_name
@pytest.mark.parametrize("text", MANY_MARKS)
def test_name__of_a_language_with_many_marks__is_kept(field, text):
    assert cleaned(field, text) == unicodedata.normalize("NFC", text)


@each_name
def test_name__in_decomposed_vietnamese__is_composed(field):
    assert cleaned(field, unicodedata.normalize("NFD", "Nguyễn Thị Ánh Tuyết")) == "Nguyễn Thị Ánh Tuyết"


each_text = pytest.mark.parametrize("field", LONG.values(), ids=LONG.keys())
UNPRINTED = [chr(code) for code in (*range(9), 11, 12, *range(14, 32), *range(127, 160))]
TURNS = [sign for sign in map(chr, range(0x3000)) if unicodedata.bidirectional(sign) in DIRECTIONS] + list(MARKS)


@each_text
@pytest.mark.parametrize("sign", [*UNPRINTED, *TURNS], ids=ascii)
def test_text_of_several_lines__with_controls_or_what_turns_it__is_refused(field, sign):
    with pytest.raises(ValueError, match="not allowed"):
        cleaned(field, f"a{sign}b")


@each_text
def test_text_of_several_lines__keeps_lines_and_tabs(field):
    assert cleaned(field, "one\n\ttwo\r\nمی\u200cخواهم") == "one\n\ttwo\r\nمی\u200cخواهم"


def test_texts_of_several_lines__are_those_of_projects_and_staff():
    assert LONG.keys() >= {
        "ProjectForm.description",
        "ProjectSerializer.description",
        "HoldForm.reason",
        "VisitForm.reason",
    }


@each_name
def test_name__however_composed_and_spaced__is_one(field):
    assert cleaned(field, "  Cafe\u0301\u00a0\u3000Zu\u0308rich ") == "Café Zürich"


@each_name
def test_name__in_letters_of_mathematics__is_in_letters(field):
    assert cleaned(field, "𝓐𝓭𝓪 𝔏ovelace") == "Ada Lovelace"


SEEN = [
    "👩\u200d💻 Dev",
    "❤\ufe0f Care",
    "می\u200cخواهم",
    "क्\u200dष",
    "🏳\ufe0f\u200d🌈",
    "🇩🇪",
    "\U0001fae9",
    "1",
    "+",
    "株式会社 Acme",
    "ООО Acme",
    "Ω-Team",
    "🫨",
]


@each_name
@pytest.mark.parametrize("text", SEEN)
def test_name__of_any_language_or_with_pictures__stays_as_it_is(field, text):
    assert cleaned(field, text) == text


MIXED = [
    "Аcme",
    "Acmе",
    "Gοοgle",
    "Pаypаl Ltd",
    "Աcme",
    "AᑕME",
    "A𐐀me",
    "A𐌰me",
    "Aქme",
    "ABCกขค",
    "漢Аб",
    "q\u0303а",
    "A1с",
]
MIXED += ["カナ한글", "ㄅㄆかな", "a\u0483b"]
OF_A_LANGUAGE = [
    "東京タワーABC",
    "Tシャツ屋",
    "みなとカフェ",
    "日本語々〆ヶ",
    "한국Tech韓國",
    "台灣ㄅㄆLtd",
    "3Mロゴ",
    "العربيّة",
    "Łódź №5",
]
OF_A_LANGUAGE += ["Hawaiʻi", "Acme Акме", "Ω-Team", "R&Д"]


@pytest.mark.parametrize("name", sorted(SPOOFABLE))
@pytest.mark.parametrize("text", MIXED)
def test_name__of_letters_of_several_scripts_in_a_word__is_refused(name, text):
    with pytest.raises(ValueError, match="scripts"):
        cleaned(NAMES[name], text)


@pytest.mark.parametrize("name", sorted(SPOOFABLE))
@pytest.mark.parametrize("text", OF_A_LANGUAGE)
def test_name__of_scripts_that_a_language_mixes__is_kept(name, text):
    assert cleaned(NAMES[name], text) == text


def test_names_of_organizations_people_and_roles__are_those_of_one_script():
    assert {name.partition(".")[0].removesuffix("Form").removesuffix("Serializer") for name in SPOOFABLE} == {
        "Accept",
        "Organization",
        "Profile",
        "Register",
        "Role",
        "Settings",
        "SignUp",
    }


@pytest.mark.parametrize("text", [*HIDDEN.values(), *MIXED])
def test_organization__named_at_the_command_line__is_held_to_the_same(text):
    with pytest.raises(InvalidName):
        validated(organization=text, placement="pool")


def test_sign_up_page__with_a_name_that_cannot_be_seen__says_so(platform, database):
    sent = {"organization": "Ac\u200bme", "email": "a@example.com", "password": PASSWORD}

    page = Client(HTTP_HOST=APEX).post("/sign-up/", sent)

    assert (page.status_code, b"Invisible" in page.content) == (422, True)


# -- roles that are taken for others -----------------------------------------------------------------------------

BUILT_IN = [
    "owner",
    "OWNER",
    "Inhaber",
    "Mitglied",
    "Betrachter",
    "ＯＷＮＥＲ",
    "Оwner",
    "МЕМВЕR",
    "ADMІN",
    "Adrnin",
    "0wner",
    "Ówner",
    "𝐎𝐰𝐧𝐞𝐫",
    "Own\u200ber",
    "Ow ner",
    "O-w-n-e-r",
    "ADMlN",
    "VlEWER",
    "Owner\U0001d159",
]


@pytest.mark.parametrize("name", BUILT_IN)
def test_role__that_looks_like_a_built_in_one__is_refused_by_the_service(acme, name):
    with pytest.raises(RoleNameTaken):
        roles.create_role(actor=acme.subject, name=name, permissions=[])


@pytest.mark.parametrize("name", BUILT_IN)
def test_role__that_looks_like_a_built_in_one__is_refused_by_the_api(acme, name):
    assert program_of(acme).post("roles", {"name": name, "permissions": []}).status_code in (400, 409)


@pytest.mark.parametrize("name", ["AUDITOR", "Auditоr", "Àuditor", "ａｕｄｉｔｏｒ"])
def test_role__that_looks_like_another_of_the_organization__is_refused(acme, name):
    roles.create_role(actor=acme.subject, name="Auditor", permissions=[])
    other = roles.create_role(actor=acme.subject, name="Other", permissions=[])

    with pytest.raises(RoleNameTaken):
        roles.create_role(actor=acme.subject, name=name, permissions=[])
    with pytest.raises(RoleNameTaken):
        roles.update_role(actor=acme.subject, role_id=other.id, name=name, permissions=[])


def test_role__of_another_organization__takes_no_name(platform, database):
    home, foreign = platform["pool"]
    for organization in (home, foreign):
        roles.create_role(actor=organization.subject, name="Auditor", permissions=[])


def test_role__that_is_changed__may_keep_its_name(acme):
    role = roles.create_role(actor=acme.subject, name="Auditor", permissions=[])

    changed = roles.update_role(actor=acme.subject, role_id=role.id, name="auditor", permissions=["audit:view"])

    assert changed.name == "auditor"


# -- what is not typed, or not alone -----------------------------------------------------------------------------


def test_file__whose_name_pretends_another_kind__is_kept_under_what_is_seen_of_it(acme):
    project = add_project(acme)
    with acme.inside():
        upload = SimpleUploadedFile("Cafe\u0301 \u202efdp.exe", b"x")
        document = documents.add_document(actor=acme.subject, project=project, upload=upload)

    assert document.name == "Café fdp.exe"


def test_file__with_marks_in_heaps__is_kept_under_a_name_with_few():
    assert names.visible("a" + "\u0334" * 4 + "\u200b" + "\u0334" * 9 + ".txt") == "a" + "\u0334" * 4 + ".txt"


def test_choices__on_lines__are_names_each(acme, sign_in):
    sent = {"label": "Size", "key": "size", "kind": "choice", "choices": "Cafe\u0301\nb\u200bc"}

    refused = sign_in(acme).post("/settings/fields/new/", sent)
    taken = sign_in(acme).post("/settings/fields/new/", {**sent, "choices": "Cafe\u0301\nbc"})

    assert (refused.status_code, taken.status_code) == (422, 302)


def test_names__that_look_different__are_told_apart():
    assert not names.look_alike("Owners", "Owner")
    assert not names.look_alike("Editor", "Auditor")
