"""One real platform for the whole run; every test runs committed, in autocommit, as production does."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import pytest
from django.core import mail
from django.core.management import call_command
from django.template import Template
from django.test import Client
from django.test.client import ClientHandler
from django.test.utils import _TestState as test_environment
from django.test.utils import instrumented_test_render
from django_redis import get_redis_connection

from apps.accounts.models import User
from apps.core.memory import breaker
from apps.fleet.services.control_plane import migrate_control
from apps.operations.selectors import backlogs
from apps.tenancy.context import current
from apps.tenants.directory import directory
from apps.tenants.services import schema_store
from apps.tenants.traffic import recorder
from tests.support import servers
from tests.support.baseline import Baseline
from tests.support.factories import Organization, create_organization
from tests.support.sampling import PLACEMENTS, is_left_out


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if is_left_out(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not is_left_out(item)]


def pytest_collection_finish() -> None:
    """Thousands of tests are a heap that each collection of garbage would walk."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def plain_templates(django_test_environment) -> None:
    """Templates render as in production: nobody is told of each with a copy of its context."""
    Template._render = test_environment.saved_data.template_render


@pytest.fixture(scope="session", autouse=True)
def one_chain_of_middlewares(django_test_environment) -> None:
    """Shared by all test clients: to set it up takes as long as a request."""
    handler = ClientHandler()
    handler.load_middleware()
    ClientHandler._middleware_chain = staticmethod(handler._middleware_chain)


@pytest.fixture
def seen_contexts(monkeypatch) -> None:
    """Answers of the test client carry the contexts of their templates."""
    monkeypatch.setattr(Template, "_render", instrumented_test_render)


@pytest.fixture(scope="session")
def django_db_setup() -> None:
    """The platform fixture makes the databases; nothing is made the stock way."""


@pytest.fixture(scope="session")
def platform(django_db_blocker) -> Iterator[dict[str, list[Organization]]]:
    """An empty platform with two organizations in each placement."""
    servers.recreate_databases()
    with django_db_blocker.unblock():
        call_command("setup_roles", verbosity=0)
        call_command("build_messages", verbosity=0)
        migrate_control()
        schema_store.replenish()
        yield {
            kind: [create_organization(f"{kind} {name}", kind) for name in ("home", "foreign")] for kind in PLACEMENTS
        }


@pytest.fixture(scope="session")
def reset(platform, django_db_blocker) -> Callable[[], None]:
    """Takes away everything that was added since the platform was created, in all stores and in this process."""
    baseline = Baseline([organization for pair in platform.values() for organization in pair])

    def restore() -> None:
        baseline.restore()
        get_redis_connection("default").flushdb()
        for memory in (directory, backlogs, recorder):
            memory.forget()
        breaker.reset()
        mail.outbox.clear()

    restore()
    return restore


@pytest.fixture
def database(platform, reset) -> Iterator[None]:
    """The platform, with everything that the test adds taken away afterward."""
    yield
    assert current() is None, "the test left a context behind"
    reset()


@pytest.fixture(params=PLACEMENTS)
def placement(request) -> str:
    return str(request.param)


@pytest.fixture
def home(platform, database, placement) -> Organization:
    """An organization in the placement under test."""
    return platform[placement][0]


@pytest.fixture
def foreign(platform, database, placement) -> Organization:
    """Another organization in the same placement (in a pool: in the same schema)."""
    return platform[placement][1]


@pytest.fixture
def acme(platform, database) -> Organization:
    """An organization in its own schema, where the placement does not matter."""
    return platform["schema"][0]


@pytest.fixture
def sign_in() -> Callable[[Organization, User | None], Client]:
    def signed_in(organization: Organization, user: User | None = None) -> Client:
        client = Client(HTTP_HOST=organization.host, raise_request_exception=False)
        email = (user or organization.owner).email
        response = client.post("/sign-in/", {"login": email, "password": organization.password})
        assert response.status_code == 302, response.content
        return client

    return signed_in
