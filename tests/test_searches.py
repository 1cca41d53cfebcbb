"""What somebody searches for is meant as it is written: no character stands for others."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils.http import urlencode

from apps.access import search
from apps.access.search import SearchSource
from apps.accounts.selectors import members_meant, search_members
from apps.accounts.services import members
from apps.projects.api import PROJECTS
from apps.staff.site import site
from tests.support.clients import program_of, staff_browser
from tests.support.factories import add_document, add_person, add_project
from tests.support.routes import CONTROL_URLS

WILD = ["%", "_", "\\", "%%", "__", "\\%", "a%e", "*", "?", ".*", "\u0301"]
SOURCES = [source for sources in search._sources.values() for source in sources]
each_wild = pytest.mark.parametrize("text", WILD)


@pytest.fixture
def stocked(acme) -> Any:
    """An organization with something for each search to find, none of which has what is searched for in it."""
    add_document(acme, add_project(acme, "Apple"))
    add_person(acme)
    return acme


@each_wild
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.heading))
def test_source__searched_for_what_stands_for_others__finds_nothing(stocked, source: SearchSource, text):
    with stocked.inside():
        assert list(source.find(stocked.subject, text)) == []


@each_wild
def test_palette__searched_for_what_stands_for_others__finds_nothing(stocked, sign_in, text, seen_contexts):
    assert not sign_in(stocked).get("/search/", {"q": text}).context["found"]


@each_wild
def test_api__searched_for_what_stands_for_others__finds_nothing(stocked, text):
    assert "search" in PROJECTS.filters

    answer = program_of(stocked).get(f"projects?{urlencode({'search': text})}")

    assert (answer.status_code, answer.json()["results"]) == (200, [])


@each_wild
def test_members__searched_for_what_stands_for_others__are_none(stocked, text):
    with stocked.inside():
        assert list(search_members(stocked.tenant.id, text)) == []
        assert members_meant(stocked.tenant.id, text, limit=3) == []


@pytest.mark.parametrize("character", ["%", "_", "\\"])
def test_character__that_is_in_a_name__is_found_by_it(stocked, character):
    person = add_person(stocked)
    with stocked.inside():
        members.update_profile(actor=stocked.subject, member_id=person.membership.id, name=f"A{character}b")

        found = [member.user_id for member in search_members(stocked.tenant.id, f"a{character}B")]

    assert found == [person.id]


@pytest.mark.parametrize(
    "model", [model for model, admin in site._registry.items() if admin.search_fields], ids=lambda m: m.__name__
)
def test_staff__searching_for_what_stands_for_others__finds_nothing(stocked, model, seen_contexts):
    browser = staff_browser(is_superuser=True)
    listed = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", urlconf=CONTROL_URLS)
    for text in ("%", "\\", "%%"):
        found = browser.get(listed, {"q": text}).context["cl"].result_count
        assert found == 0, text
