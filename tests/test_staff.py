"""The pages from which the platform is run: who gets in, what they see, and what they can do there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import Membership, Session, User
from apps.audit.actors import SYSTEM
from apps.audit.models import ControlEvent
from apps.core.memory import MemoryAway
from apps.core.routes import named_routes
from apps.staff import services
from apps.staff.admin import ReadOnlyAdmin
from apps.staff.site import site
from apps.tenancy import outbox
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from apps.tenants import traffic
from apps.tenants.models import Pool, Tenant
from apps.tenants.services import lifecycle
from apps.tenants.traffic import Figures
from tests.support.clients import APEX, staff_browser
from tests.support.completeness import assert_complete
from tests.support.factories import PASSWORD, Organization
from tests.support.limits import allow
from tests.support.routes import CONTROL_URLS, STAFF_MODELS, STAFF_ROUTES
from tests.support.things import Belongings

MODELS = [model.replace("_", "/", 1) for model in STAFF_MODELS]
SIGN_IN = "/admin/login/"
TOPIC = "tests.stuck"


@pytest.fixture
def superuser(platform, database) -> Client:
    return staff_browser(is_superuser=True)


@pytest.fixture
def staff(platform, database) -> Client:
    """Staff without the rights of a superuser."""
    return staff_browser(is_superuser=False)


@pytest.fixture
def stuck(acme) -> Any:
    """The id of an event that has been parked."""
    with acme.inside(), atomic():
        event_id = outbox.emit(TOPIC, {})
    parked = "UPDATE platform.outbox SET stage = 'alone', available_at = 'infinity', attempts = 100 WHERE event_id = %s"
    in_outbox(parked, event_id)
    return event_id


def in_outbox(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection, connection.transaction():
        connection.execute("SET LOCAL ROLE app_relay")
        cursor = connection.execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []


def recorded(action: str) -> list[ControlEvent]:
    with control("look"):
        return list(ControlEvent.objects.filter(action=action).order_by("occurred_at"))


def page_of(tenant: Tenant, act: str = "change") -> str:
    return f"/admin/tenants/tenant/{tenant.id}/{act}/"


def now(tenant: Tenant) -> Tenant:
    with control("look"):
        return Tenant.objects.get(id=tenant.id)


# -- who gets in -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", sorted(STAFF_ROUTES - {"admin:login"}))
def test_route__asked_by_anybody_but_staff__leads_to_the_sign_in_page(platform, database, acme, route):
    outsiders = [Client(HTTP_HOST=APEX), signed_in_on_the_apex(acme.owner)]

    for path in addresses(route, acme):
        for client in outsiders:
            for method in ("get", "post"):
                response = getattr(client, method)(path)
                assert response.status_code == 302, (path, method)
                assert response["Location"].startswith(("/admin/login/", "/admin/?"))
                assert acme.tenant.name.encode() not in response.content


@pytest.mark.parametrize("route", sorted(STAFF_ROUTES))
def test_route__on_an_organizations_host__is_not_there(acme, sign_in, route):
    client = sign_in(acme)

    for path in addresses(route, acme):
        assert client.get(path).status_code == 404


def test_sign_in__of_staff__is_recorded_and_lasts(superuser):
    assert superuser.get("/admin/").status_code == 200
    assert recorded("staff.signed_in")[-1].actor_type == "staff"


@pytest.mark.parametrize(
    "wrong", [{"password": "not the password of anybody"}, {"username": "nobody@example.com"}, {"username": "\x00"}]
)
def test_sign_in__with_wrong_words__is_refused(platform, database, wrong):
    services.appoint(email="ops@example.com", password=PASSWORD, is_superuser=True, actor=SYSTEM)
    client = Client(HTTP_HOST=APEX)

    response = client.post(SIGN_IN, {"username": "ops@example.com", "password": PASSWORD, **wrong})

    assert response.status_code == 200
    assert client.get("/admin/").status_code == 302


def test_sign_in__of_a_member_who_is_no_staff__is_refused(acme):
    client = Client(HTTP_HOST=APEX)

    response = client.post(SIGN_IN, {"username": acme.owner.email, "password": acme.password})

    assert response.status_code == 200
    assert client.get("/admin/").status_code == 302


def test_sign_in__of_staff_on_an_organizations_host__is_refused(acme):
    services.appoint(email="ops@example.com", password=PASSWORD, is_superuser=True, actor=SYSTEM)
    client = Client(HTTP_HOST=acme.host)

    response = client.post("/sign-in/", {"login": "ops@example.com", "password": PASSWORD})

    assert response.status_code == 200
    assert client.get("/").status_code == 302


def test_sign_in__tried_too_often__is_refused_for_a_while(platform, database, settings):
    allow(settings, "sign-in", account=2)
    services.appoint(email="ops@example.com", password=PASSWORD, is_superuser=True, actor=SYSTEM)
    client = Client(HTTP_HOST=APEX)

    wrong = [client.post(SIGN_IN, {"username": "OPS@example.com", "password": "wrong"}) for _ in range(2)]
    right = client.post(SIGN_IN, {"username": "ops@example.com", "password": PASSWORD})

    assert [r.status_code for r in wrong] == [200, 200]
    assert right.status_code == 429
    assert int(right["Retry-After"]) > 0


def test_session__of_staff__ends_with_the_working_day(superuser, settings):
    with control("look"):
        session = Session.objects.exclude(user_id=None).get()

    assert session.expire_date - session.created_at <= timedelta(seconds=settings.STAFF_SESSION_SECONDS + 60)


def test_people__looked_for_by_the_hash_of_a_password__are_not_told(superuser):
    assert superuser.get("/admin/accounts/user/?password__startswith=argon2").status_code == 400


def test_sign_out__of_staff__ends_the_session(superuser):
    superuser.post("/admin/logout/")

    assert superuser.get("/admin/").status_code == 302
    assert recorded("staff.signed_out")


def test_dismissal__of_staff__acts_at_once(superuser):
    with control("find the staff"):
        person = User.objects.get(is_staff=True)

    services.dismiss(email=person.email, actor=SYSTEM)

    assert superuser.get("/admin/").status_code == 302
    with control("look"):
        assert not Session.objects.filter(user_id=person.pk).exists()


def test_rights__taken_while_signed_in__are_gone_with_the_next_request(superuser):
    with control("take rights"):
        User.objects.filter(is_staff=True).update(is_staff=False)

    assert superuser.get("/admin/").status_code == 302


def test_pages__of_staff__have_a_policy_that_names_nobody_else(superuser):
    policy = superuser.get("/admin/")["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert "unsafe-inline" not in re.search(r"script-src ([^;]*)", policy).group(1)  # type: ignore[union-attr]
    assert superuser.get("/")["Content-Security-Policy"].count("unsafe") == 0


# -- what is seen ------------------------------------------------------------------------------------------------


def test_models__shown_to_staff__are_all_looked_at_below():
    shown = [model._meta.label_lower.replace(".", "_") for model in site._registry]

    assert_complete(STAFF_MODELS, shown, table="tests/support/routes.py:STAFF_MODELS")


@pytest.mark.parametrize("path", MODELS)
def test_models__asked_by_staff_without_superuser__are_not_shown(staff, acme, path):
    shown = [staff.get(f"/admin/{path}/"), staff.get(f"/admin/{path}/{acme.tenant.id}/change/")]

    assert [response.status_code for response in shown] == [403, 403]
    for response in shown:
        assert acme.tenant.name.encode() not in response.content


@pytest.mark.parametrize("act", ["enter", "hold", "release", "resume"])
def test_acts__of_staff_without_superuser__are_refused(staff, acme, act):
    response = staff.post(page_of(acme.tenant, act), {"reason": "because"})

    assert response.status_code == 403
    assert not now(acme.tenant).is_held


def test_dashboard__of_staff_without_superuser__shows_the_machinery_only(staff, acme):
    page = staff.get("/admin/").content.decode()

    assert "Warm schemas" in page
    assert "Outbox" in page
    for hidden in ("Sign-ups per day", "Members per tenant", acme.tenant.name, acme.owner.email, "/admin/tenants/"):
        assert hidden not in page


def test_outbox__of_staff_without_superuser__names_no_organization(staff, acme, stuck):
    page = staff.get("/admin/outbox/").content.decode()

    assert TOPIC in page
    assert str(acme.tenant.id) not in page


def test_dashboard__of_a_superuser__has_the_figures_of_all_tenants(superuser, platform, seen_contexts):
    context = superuser.get("/admin/").context

    kpis = {kpi["title"]: kpi for kpi in context["kpis"]}
    assert kpis["Tenants"]["value"] == "6"
    assert kpis["Members per tenant"]["value"] == "1.0"
    hour = ["Requests per minute", "Errors per minute"]
    titles = [*hour, "Sign-ups per day", "Tenants by placement and status"]
    assert [chart["title"] for chart in context["charts"]] == titles
    assert context["charts"][3]["words"] == "pool: 2; schema: 2; database: 2"
    assert context["events"]["rows"][0][0] == "staff.signed_in"


def test_dashboard__however_many_tenants__costs_the_same_few_queries(superuser, staff):
    superuser.get("/admin/")

    with CaptureQueriesContext(connections["default"]) as by_superuser:
        superuser.get("/admin/")
    with CaptureQueriesContext(connections["default"]) as by_staff:
        staff.get("/admin/")

    assert (len(by_superuser), len(by_staff)) == (9, 5)  # session, person, and one for each figure


def test_dashboard__of_a_busy_platform__names_the_busiest_tenants_to_superusers_only(superuser, staff, acme):
    traffic.recorder.note(acme.tenant.id, Figures(requests=12_000, errors=5, ms=20_000))
    traffic.recorder.flush()

    pages = {who: who.get("/admin/").content.decode() for who in (superuser, staff)}

    assert "Busiest tenants" in pages[superuser]
    assert acme.tenant.name in pages[superuser]
    assert acme.tenant.name not in pages[staff]
    for page in pages.values():
        assert "Requests per minute" in page
        assert "12,0" in page


def test_dashboard__while_memory_is_away__says_so(superuser, monkeypatch, seen_contexts):
    def away(*args: Any) -> None:
        raise MemoryAway

    monkeypatch.setattr("apps.tenants.traffic.last_minutes", away)

    kpis = {kpi["title"]: kpi for kpi in superuser.get("/admin/").context["kpis"]}

    assert kpis["Requests in an hour"]["note"] == "memory is away"


def test_dashboard__with_a_held_tenant__counts_it_as_held(superuser, acme, seen_contexts):
    lifecycle.hold(slug=acme.tenant.slug, reason="because", actor=SYSTEM)

    kpis = {kpi["title"]: kpi["value"] for kpi in superuser.get("/admin/").context["kpis"]}

    assert (kpis["Tenants"], kpis["Held"]) == ("6", "1")


def test_lists__of_all_models__are_shown_in_a_bounded_number_of_queries(superuser):
    for path in MODELS:
        with CaptureQueriesContext(connections["default"]) as queries:
            assert superuser.get(f"/admin/{path}/").status_code == 200, path
        assert len(queries) <= 7, path


def test_rows__of_all_models__are_shown_and_cannot_be_written(superuser, acme, platform):
    for path, row in rows(acme).items():
        page = superuser.get(f"/admin/{path}/{row.pk}/change/")
        assert page.status_code == 200, path
        assert b'name="_save"' not in page.content, path
        assert superuser.post(f"/admin/{path}/{row.pk}/change/", {"name": "overwritten"}).status_code == 403, path
        assert superuser.post(f"/admin/{path}/add/", {"name": "new"}).status_code in (302, 403, 404), path
        assert superuser.post(f"/admin/{path}/{row.pk}/delete/", {"post": "yes"}).status_code in (302, 403, 404), path
    assert now(acme.tenant).name == acme.tenant.name


def test_pages__of_a_superuser__show_no_secret(superuser, acme, platform):
    organization = platform["database"][0]
    with control("find secrets"):
        hashed = organization.owner.password
        url = Tenant.objects.get(id=organization.tenant.id).database.url.reveal()

    for path, row in rows(organization).items():
        for address in (f"/admin/{path}/", f"/admin/{path}/{row.pk}/change/"):
            page = superuser.get(address).content.decode()
            assert hashed not in page
            assert url not in page


def test_history__of_a_row__leads_to_what_was_recorded_about_it(superuser, acme):
    lifecycle.hold(slug=acme.tenant.slug, reason="because", actor=SYSTEM)

    page = superuser.get(page_of(acme.tenant, "history"), follow=True)

    assert page.status_code == 200
    assert b"tenant.held" in page.content


def test_search__of_pages__finds_what_one_may_open(superuser, staff):
    assert b"/admin/tenants/pool/" in superuser.get("/admin/search/?s=pool").content
    assert b"/admin/tenants/pool/" not in staff.get("/admin/search/?s=pool").content


def test_writes__through_the_admin__are_refused_rather_than_left_unrecorded(platform):
    for model_admin in site._registry.values():
        assert isinstance(model_admin, ReadOnlyAdmin)
        for write in (model_admin.save_model, model_admin.delete_model, model_admin.log_change):
            with pytest.raises(NotImplementedError):
                write(None, None, None)


# -- what is done ------------------------------------------------------------------------------------------------


def test_hold__with_a_reason__closes_the_organization_and_is_recorded(superuser, acme):
    asked = superuser.get(page_of(acme.tenant, "hold"))
    done = superuser.post(page_of(acme.tenant, "hold"), {"reason": "unpaid bills"})

    assert (asked.status_code, done.status_code) == (200, 302)
    assert now(acme.tenant).hold_reason == "unpaid bills"
    assert Client(HTTP_HOST=acme.host).get("/").status_code == 403
    event = recorded("tenant.held")[-1]
    assert (event.actor_type, event.tenant_id) == ("staff", acme.tenant.id)


@pytest.mark.parametrize("reason", ["", "  "])
def test_hold__without_a_reason__asks_for_one(superuser, acme, reason):
    response = superuser.post(page_of(acme.tenant, "hold"), {"reason": reason})

    assert response.status_code == 422
    assert not now(acme.tenant).is_held


@pytest.mark.parametrize("act", ["enter", "hold", "release", "resume"])
def test_acts__when_only_looked_at__change_nothing(superuser, acme, act):
    before = now(acme.tenant)

    assert superuser.get(page_of(acme.tenant, act)).status_code == 200

    after = now(acme.tenant)
    assert (after.status, after.held_at) == (before.status, before.held_at)


def test_release__of_a_held_organization__opens_it_and_is_recorded(superuser, acme):
    lifecycle.hold(slug=acme.tenant.slug, reason="because", actor=SYSTEM)

    superuser.post(page_of(acme.tenant, "release"))

    assert not now(acme.tenant).is_held
    assert recorded("tenant.released")[-1].actor_type == "staff"


def test_resume__of_an_unfinished_organization__asks_the_provisioner(superuser, acme):
    with control("prepare"):
        Tenant.objects.filter(id=acme.tenant.id).update(status=Tenant.Status.PROVISIONING)

    superuser.post(page_of(acme.tenant, "resume"))

    asked = in_outbox("SELECT topic, tenant_id FROM platform.outbox ORDER BY id DESC LIMIT 1")
    assert asked == [("tenants.requested", acme.tenant.id)]
    assert recorded("tenant.provisioning_requested")[-1].tenant_id == acme.tenant.id


def test_resume__of_a_ready_organization__says_that_there_is_nothing_to_do(superuser, acme):
    response = superuser.post(page_of(acme.tenant, "resume"))

    assert response.status_code == 422
    assert b"nothing to provision" in response.content


@pytest.mark.parametrize(
    ("change", "offered"),
    [({}, {"hold"}), ({"status": "provisioning"}, {"resume"}), ({"held": True}, {"release"})],
    ids=["ready", "provisioning", "held"],
)
def test_acts__on_a_tenants_page__are_those_that_its_status_allows(superuser, acme, change, offered):
    if change.get("held"):
        lifecycle.hold(slug=acme.tenant.slug, reason="because", actor=SYSTEM)
    elif change:
        with control("prepare"):
            Tenant.objects.filter(id=acme.tenant.id).update(**change)

    page = superuser.get(page_of(acme.tenant)).content.decode()

    assert {act for act in ("hold", "release", "resume") if page_of(acme.tenant, act) in page} == offered


def test_retry__of_a_parked_event__hands_it_over_again_and_is_recorded(staff, stuck):
    response = staff.post(f"/admin/outbox/default/{stuck}/retry/")

    assert response.status_code == 302
    rows = in_outbox("SELECT available_at <= now(), attempts FROM platform.outbox WHERE event_id = %s", stuck)
    assert rows == [(True, 0)]
    event = recorded("outbox.retried")[-1]
    assert (event.actor_type, event.resource_id) == ("staff", str(stuck))


def test_retry__of_an_event_that_is_done__says_so(staff):
    response = staff.post(f"/admin/outbox/default/{uuid4()}/retry/", follow=True)

    assert b"The event is done" in response.content


def test_retry__by_a_link__is_refused(staff, stuck):
    assert staff.get(f"/admin/outbox/default/{stuck}/retry/").status_code == 405


def test_retry__in_a_tenants_own_database__is_for_superusers(superuser, staff, platform):
    organization = platform["database"][0]
    with organization.inside(), atomic():
        event_id = outbox.emit(TOPIC, {})
    address = f"/admin/outbox/{organization.database}/{event_id}/retry/"

    refused, done = staff.post(address), superuser.post(address, follow=True)

    assert refused.status_code == 404
    assert b"handed over again" in done.content
    assert recorded("outbox.retried")[-1].metadata["database"] == organization.database


def test_outbox__of_a_tenants_own_database__is_shown_to_superusers_only(superuser, staff, platform):
    organization = platform["database"][0]
    with organization.inside(), atomic():
        outbox.emit(TOPIC, {})
    address = f"/admin/outbox/?database={organization.database}"

    shown, hidden = superuser.get(address).content.decode(), staff.get(address).content.decode()

    assert TOPIC in shown
    assert organization.database not in hidden
    assert TOPIC not in hidden


@pytest.mark.parametrize("state", ["waiting", "in hand", "parked", "nonsense"])
def test_outbox__in_one_state__shows_only_that(superuser, stuck, state):
    page = superuser.get("/admin/outbox/", {"state": state}).content.decode()

    assert (TOPIC in page) == (state in ("parked", "nonsense"))


# -- commands ----------------------------------------------------------------------------------------------------


def test_create_staff__twice__changes_rights_and_password(platform, database, monkeypatch, capsys):
    for password, flags in ((PASSWORD, []), (f"{PASSWORD} now", ["--superuser"])):
        monkeypatch.setenv("STAFF_PASSWORD", password)
        call_command("create_staff", "--email", "Ops@example.com", *flags)

    assert capsys.readouterr().out.splitlines() == ["ops@example.com is staff.", "ops@example.com is a superuser."]
    with control("look"):
        person = User.objects.get(email="ops@example.com")
    assert (person.is_staff, person.is_superuser) == (True, True)
    assert person.check_password(f"{PASSWORD} now")
    appointed = recorded("staff.appointed")
    assert [(e.actor_type, e.actor_id) for e in appointed[-2:]] == [("command", "create_staff")] * 2
    assert appointed[-1].changes == {"is_superuser": [False, True]}


def test_create_staff__for_a_member__keeps_the_membership(acme, monkeypatch):
    monkeypatch.setenv("STAFF_PASSWORD", acme.password)

    call_command("create_staff", "--email", acme.owner.email)

    with control("look"):
        assert Membership.objects.filter(user=acme.owner, tenant=acme.tenant).exists()
    services.dismiss(email=acme.owner.email, actor=SYSTEM)


@pytest.mark.parametrize(
    ("arguments", "password", "code"),
    [
        (["create_staff", "--email", "nobody"], PASSWORD, 2),
        (["create_staff", "--email", "ops@example.com"], "short", 1),
        (["create_staff", "--email", "ops@example.com"], None, 2),
        (["dismiss_staff", "--email", "nobody@example.com"], None, 1),
        (["deactivate_person", "--email", "nobody@example.com"], None, 1),
    ],
    ids=str,
)
def test_command__with_wrong_input__says_why_in_one_line(platform, database, monkeypatch, arguments, password, code):
    monkeypatch.delenv("STAFF_PASSWORD", raising=False)
    if password is not None:
        monkeypatch.setenv("STAFF_PASSWORD", password)

    with pytest.raises(CommandError) as caught:
        call_command(*arguments)

    assert caught.value.returncode == code
    assert "\n" not in str(caught.value)


# -- how it is looked at -----------------------------------------------------------------------------------------


def signed_in_on_the_apex(user: User) -> Client:
    """A browser with a session that somebody who is no staff might have got on the apex."""
    client = Client(HTTP_HOST=APEX)
    with control("prepare"):
        client.force_login(user, backend="apps.accounts.backends.StaffBackend")
    return client


def rows(organization: Organization) -> dict[str, Any]:
    """One row of each model, about the organization where it can be, by its path."""
    its, tenant, owner = Belongings(organization, "shown"), organization.tenant, organization.owner
    with control("look"):
        others: dict[str, Any] = {
            "tenants.Tenant": tenant,
            "tenants.Pool": Pool.objects.first(),
            "accounts.User": owner,
        }
    labels = {path: apps.get_model(*path.split("/"))._meta.label for path in MODELS}
    return {path: others.get(label) or its[label] for path, label in labels.items()}


def addresses(route: str, organization: Organization) -> Iterator[str]:
    """The addresses of a route, with what they take filled in."""
    values: dict[str, Callable[[], Any]] = {
        "object_id": lambda: organization.tenant.id,
        "app_label": lambda: "tenants",
        "database": lambda: "default",
        "event_id": uuid4,
        "url": lambda: "nothing/here/",
    }
    for name, pattern in named_routes(CONTROL_URLS):
        if name != route:
            continue
        if pattern.name is None:  # redirects of old addresses, and whatever is not there
            yield from ("/admin/nothing/", f"/admin/tenants/tenant/{organization.tenant.id}/")
            continue
        taken = {**pattern.pattern.converters, **pattern.pattern.regex.groupindex}
        yield reverse(name, kwargs={key: values[key]() for key in taken}, urlconf=CONTROL_URLS)
