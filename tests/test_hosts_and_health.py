"""Which host answers what, and what probes are told."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
import structlog
from django.conf import settings
from django.core.exceptions import FieldError
from django.db import connections
from django.test import Client, RequestFactory
from psycopg import sql

from apps.audit.actors import SYSTEM
from apps.core import encryption
from apps.core.encryption import DecryptionError, EncryptedText, parse_master_keys
from apps.operations import health
from apps.projects.models import Project
from apps.tenancy import databases
from apps.tenancy.context import control, use
from apps.tenancy.transactions import atomic
from apps.tenants.keys import data_keys
from apps.tenants.links import link
from apps.tenants.models import DataKey, Tenant, TenantDatabase
from apps.tenants.services import lifecycle
from config.observability import HIDDEN, before_send, hide_secrets
from tests.support import servers
from tests.support.factories import Organization, add_project


def get(host: str, path: str = "/", **headers: str):
    return Client(HTTP_HOST=host, raise_request_exception=False).get(path, **headers)


@pytest.mark.parametrize(
    "host", ["nobody.localhost", "192.0.2.1", "evil.example", "a b", "localhost.evil", "[2001:db8::1]"]
)
def test_host__unknown__is_not_found(platform, database, host):
    assert get(host).status_code == 404
    assert get(host, "/api/v1/projects").status_code == 404


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "127.1.2.3", "0.0.0.0", "[::1]", "[::1]:8000", "[::]"])
@pytest.mark.parametrize(
    ("development", "method", "code"), [(True, "get", 302), (True, "post", 404), (False, "get", 404)]
)
def test_host__that_is_this_machine__leads_to_the_apex_in_development(
    platform, database, settings, host, development, method, code
):
    settings.DEVELOPMENT = development
    ask = getattr(Client(HTTP_HOST=host), method)

    response = ask("/projects/?search=a")

    assert response.status_code == code
    if code == 302:
        assert response["Location"] == link(settings.BASE_DOMAIN, "/projects/?search=a")


@pytest.mark.parametrize("spelling", ["{}", "{}:8000", "{}.", "www.{}", "WWW.{}"])
def test_host__however_spelled__is_the_tenants(acme, spelling):
    assert get(spelling.format(acme.host).upper(), "/sign-in/").status_code == 200


def test_host__forwarded__is_ignored(home, foreign):
    response = get(home.host, "/sign-in/", HTTP_X_FORWARDED_HOST=foreign.host)

    assert home.tenant.name in response.content.decode()
    assert foreign.tenant.name not in response.content.decode()


@pytest.mark.parametrize("charset", ["hex", "idna", "undefined", "utf-16", "no-charset", "utf-8"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_request__in_whatever_charset__is_read_as_utf_8(home, method, charset):
    from config.wsgi import application  # freezes what is loaded by then

    told: list[str] = []
    environ = RequestFactory().generic(method, "/api/v1/nothing?a=%C3%A9", b"b=1").environ
    environ |= {"HTTP_HOST": home.host, "CONTENT_TYPE": f"multipart/form-data; boundary=x; charset={charset}"}

    application(environ, lambda status, *_: told.append(status))

    assert told == ["404 Not Found"]


def test_tenant__on_hold__answers_403_with_the_reason_everywhere(acme, sign_in):
    client = sign_in(acme)
    lifecycle.hold(slug=acme.tenant.slug, reason="under investigation", actor=SYSTEM)

    page, api = client.get("/"), client.get("/api/v1/projects")

    assert (page.status_code, api.status_code) == (403, 403)
    assert b"under investigation" in page.content
    assert api.json()["code"] == "tenant_held"
    lifecycle.release(slug=acme.tenant.slug, actor=SYSTEM)
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(("status", "code"), [("provisioning", 503), ("deactivated", 403), ("erased", 404)])
def test_tenant__that_is_not_ready__says_so(acme, status, code):
    with control("change the status"):
        Tenant.objects.filter(id=acme.tenant.id).update(status=status)

    response = get(acme.host, "/api/v1/projects")

    assert response.status_code == code
    assert ("Retry-After" in response) == (code == 503)


def test_responses__all__carry_the_security_headers(acme):
    for host, path in [(acme.host, "/sign-in/"), ("localhost", "/"), ("nobody.localhost", "/")]:
        headers = get(host, path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "no-store" in headers["Cache-Control"]


def test_links__are_built_from_stored_names():
    assert link("acme.localhost", "/x/", code="a&b") == f"http://acme.localhost:{settings.PUBLIC_PORT}/x/?code=a%26b"


# -- health ------------------------------------------------------------------------------------------------------


def test_health__touches_nothing(platform, database, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert get("any.host", "/health").json() == {"status": "ok"}


def test_ready__with_everything_there__says_ok(platform, database):
    assert get("any.host", "/ready").json() == get("any.host", "/health/redis").json() == {"status": "ok"}
    assert health._checks() == {"database": "ok", "tenant_databases": "ok", "redis": "ok", "migrations": "ok"}


def unready_part() -> str:
    """Which part is not ready, as the log has it; whoever asks learns only that something is not."""
    with structlog.testing.capture_logs() as lines:
        response = get("any.host", "/ready")
    assert (response.status_code, response.json()) == (503, {"status": "unavailable"})
    assert all("secret" not in str(line) for line in lines)
    (part,) = {line["part"] for line in lines if line["event"] == "not_ready"}
    return str(part)


def test_ready__without_redis__says_503_and_not_why(platform, database, settings):
    settings.CELERY_BROKER_URL = "redis://:secret@127.0.0.1:1/0"

    assert unready_part() == "redis"
    assert get("any.host", "/health/redis").status_code == 503
    assert get("any.host", "/health").status_code == 200


def test_ready__with_a_missing_migration__says_503(platform, database, monkeypatch):
    monkeypatch.setattr("apps.operations.health.control_migrations_missing", lambda: [("tenants", "9999")])

    assert unready_part() == "migrations"


def test_ready__with_a_tenants_database_away__says_503(replaceable):
    with control("break a url"):
        row = TenantDatabase.objects.get(tenant=replaceable.tenant)
        good, version = row.url.reveal(), row.version
        row.url, row.version = "postgres://x:y@127.0.0.1:1/none", version + 1
        row.save()

    assert unready_part() == "tenant_databases"
    with control("mend the url"):
        row.url, row.version = good, version + 2
        row.save()
    assert get("any.host", "/ready").status_code == 200


@pytest.fixture
def replaceable(platform, database) -> Iterator[Organization]:
    """An organization with a database whose address and password a test may replace."""
    organization = platform["database"][0]
    tenant, login = organization.tenant, databases.parse_url(organization.tenant._placement().database.url.reveal())
    yield organization
    with servers.as_owner() as connection:
        user, password = sql.Identifier(login["USER"]), sql.Literal(login["PASSWORD"])
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(user, password))
    organization.tenant = tenant
    databases.forget(organization.database)


# -- secrets -----------------------------------------------------------------------------------------------------


def test_sealed_text__stored__is_unreadable_and_shows_nothing(platform, database):
    with control("look"):
        database_row = TenantDatabase.objects.first()
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT url FROM tenants_tenantdatabase WHERE id = %s", [database_row.id])
            stored = bytes(cursor.fetchone()[0])

    assert b"postgres" not in stored
    assert database_row.url.reveal().startswith("postgres://")
    assert str(database_row.url) == repr(database_row.url) == "<encrypted>"


@pytest.mark.parametrize("tampered", ["bit", "place", "key"])
def test_sealed_text__changed_or_moved__does_not_open(platform, database, tampered):
    with control("look"):
        value: EncryptedText = TenantDatabase.objects.first().url
        other_key = DataKey.objects.exclude(id=UUID(bytes=value.encrypted[1:17])).first()
    place, raw = value._location, bytearray(value.encrypted)
    if tampered == "bit":
        raw[-1] ^= 1
    if tampered == "place":
        place = b"tenants.tenantdatabase.name"
    if tampered == "key":
        raw[1:17] = other_key.id.bytes

    with pytest.raises(DecryptionError):
        EncryptedText(bytes(raw), place).reveal()


def test_sealed_text__after_its_key_was_erased__is_gone(platform, database):
    with control("erase a key"):
        row = TenantDatabase.objects.create(
            tenant=platform["pool"][0].tenant, name="none", schema="none", url="postgres://secret"
        )
        value = TenantDatabase.objects.get(id=row.id).url
        DataKey.objects.filter(tenant=platform["pool"][0].tenant).delete()
        row.delete()

    with pytest.raises(DecryptionError, match="erased"):
        value.reveal()


def test_sealed_text__written_by_update__is_refused(platform, database):
    with control("try"), pytest.raises((TypeError, FieldError)):
        TenantDatabase.objects.update(url="postgres://plain")


def test_data_key__of_the_current_tenant__is_made_and_found_inside_its_transaction(home, foreign):
    with home.inside(), atomic():
        made = data_keys.newest(home.tenant.id)
        assert data_keys.by_id(made.id).secret == made.secret


def test_data_key__wrapped_for_one_tenant__does_not_unwrap_for_another(platform, settings):
    owner = uuid4()
    version, wrapped = encryption.wrap(encryption.new_data_key(), owner=owner)

    assert len(encryption.unwrap(wrapped, owner=owner, version=version)) == 32
    with pytest.raises(DecryptionError):
        encryption.unwrap(wrapped, owner=uuid4(), version=version)


def test_master_keys__rotated__open_what_the_old_one_wrapped(settings):
    owner = uuid4()
    version, wrapped = encryption.wrap(b"k" * 32, owner=owner)
    settings.MASTER_KEYS += ",2:" + base64.urlsafe_b64encode(b"n" * 32).decode()

    assert encryption.unwrap(wrapped, owner=owner, version=version) == b"k" * 32
    assert encryption.wrap(b"k" * 32, owner=owner)[0] == 2


@pytest.mark.parametrize("value", ["", "1", "1:", "x:AAAA", "1:short", "1:" + "A" * 43 + "=,2:bad"])
def test_master_keys__malformed__are_refused_without_showing_them(value):
    with pytest.raises(ValueError) as caught:
        parse_master_keys(value)

    assert not value or value not in str(caught.value)


def test_log__of_secrets__hides_them():
    event = {"event": "x", "password": "p", "nested": {"api_key": "k", "list": [{"token": "t"}]}, "code": 200}

    assert json.dumps(hide_secrets(None, "", event)).count(HIDDEN) == 3
    assert hide_secrets(None, "", event)["code"] == 200


def test_error_report__names_the_tenant_and_hides_secrets(acme):
    with structlog.contextvars.bound_contextvars(tenant="acme", request_id="r1"):
        report = before_send(
            {"request": {"query_string": "code=1", "headers": {"Cookie": "c"}, "data": {"password": "p"}}}, {}
        )

    assert report["tags"] == {"tenant": "acme", "request_id": "r1"}
    assert report["request"] == {"headers": {"Cookie": HIDDEN}}


def test_statement__on_the_server__carries_tenant_and_request(home):
    with structlog.contextvars.bound_contextvars(request_id="*/ evil; r-1"):
        with home.inside(), connections[home.context.alias].cursor() as cursor:
            cursor.execute("SELECT current_query()")
            text = cursor.fetchone()[0]

    assert text.startswith(f"/* tenant={home.tenant.id} request= evil r-1 */ ")
    assert add_project(home).name


@pytest.mark.parametrize(("idle_seconds", "asked"), [(0.0, False), (2.0, True)])
def test_connection__kept_between_requests__is_asked_whether_it_is_alive_after_a_pause(home, idle_seconds, asked):
    connection = connections[home.context.alias]
    with home.inside():
        Project.objects.count()
        connection._answered_at -= idle_seconds
        connection.health_check_done, connection.health_check_enabled = False, True

        with patch.object(connection, "is_usable", wraps=connection.is_usable) as is_usable:
            Project.objects.count()

    assert is_usable.called is asked


def connection_url(connection: Any) -> str:
    parts = connection.settings_dict
    return f"postgres://{parts['USER']}:{quote(parts['PASSWORD'])}@{parts['HOST']}:{parts['PORT']}/{parts['NAME']}"


def test_connection__that_died_during_a_pause__is_replaced(home):
    connection = connections[home.context.alias]
    with home.inside():
        Project.objects.count()
        with servers.connect_url(connection_url(connection)) as same_login:
            same_login.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])
        connection._answered_at -= 2.0
        connection.health_check_done, connection.health_check_enabled = False, True

        assert Project.objects.count() == 0


def test_alias__forgotten_at_run_time__comes_back_with_the_next_context(platform, database):
    organization = platform["database"][0]
    alias = organization.context.alias
    databases.forget(alias)
    assert alias not in connections.databases

    assert add_project(organization).name


def test_credentials__replaced_while_another_thread_is_connected__serve_it_after_its_reconnect(replaceable):
    organization = replaceable
    context = organization.context
    connected, replaced, outcome = threading.Event(), threading.Event(), []

    def work() -> None:
        try:
            with use(context):
                outcome.append(Project.objects.count())
                connected.set()
                replaced.wait(timeout=10)
                connections[context.alias].close()
                outcome.append(Project.objects.count())
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    connected.wait(timeout=10)
    with control("replace the password"):
        row = TenantDatabase.objects.get(tenant=organization.tenant)
        old = row.url.reveal()
        login = databases.parse_url(old)
        row.url, row.version = old.replace(login["PASSWORD"], "replaced"), row.version + 1
        row.save()
    with servers.as_owner() as connection:
        connection.execute(f"ALTER ROLE {login['USER']} PASSWORD 'replaced'")
    organization.tenant = Tenant._looked_up(id=organization.tenant.id)  # as every request reads it
    assert add_project(organization).name
    replaced.set()
    thread.join()

    assert outcome == [0, 1]
