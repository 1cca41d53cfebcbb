"""What the management commands of Django and of libraries may do: work where they are run, or say what does.

A command runs in the context it is called in: ``tenant_command NAME --schema SLUG`` enters an organization,
``--schema public`` the control plane. What reads rows or tables needs one of them, and uses that context's database;
what asks which migrations there are is answered by the owner. What another command does here is refused by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.base import DeserializationError
from django.db import NotSupportedError, OperationalError, ProgrammingError, connections
from psycopg import errors

from apps.core.errors import DomainError, first_line
from apps.tenancy import databases, unnamed
from apps.tenancy.context import CONTROL_ALIAS, Context, TenantContext, current, use
from apps.tenancy.errors import ContextError
from apps.tenancy.planes import CONTROL, TENANT, control_models, plane_of, tenant_models
from apps.tenancy.router import refusing_other_planes
from apps.tenancy.schemas import owner
from apps.tenancy.walls.roles import PLATFORM_SCHEMA

DUMPDATA, LOADDATA = "django.core.dumpdata", "django.core.loaddata"
REFUSED = {
    "django.core.createcachetable": "The cache is in Redis: there is no table to make.",
    "django.core.flush": (
        "Only the owner may empty tables, and those of a pool are shared: "
        "delete rows in manage.py tenant_command shell --schema SLUG."
    ),
    "django.core.sqlflush": "Nobody may carry it out: delete rows in manage.py tenant_command shell --schema SLUG.",
    "django.core.test": "The tests are run with make test: they need servers of their own.",
    "django.core.testserver": "A server with data to try out is make run: it fills it with manage.py seed_demo.",
    "django.contrib.auth.changepassword": "People choose a new password by the link that /sign-in/reset/ mails them.",
    "django.contrib.auth.createsuperuser": "Use manage.py create_staff --email ADDRESS --superuser.",
    "rest_framework.generateschema": "Use manage.py spectacular.",
    "django_tenants.migrate_schemas": "Use manage.py migrate_fleet: it migrates the control plane and every schema.",
    "django_tenants.all_tenants_command": (
        "Use manage.py tenant_command NAME --schema SLUG for each slug that manage.py list_tenants shows."
    ),
    "django_tenants.clone_tenant": (
        "Use manage.py provision_tenant, then manage.py tenant_command dumpdata and loaddata."
    ),
    "django_tenants.collectstatic_schemas": "Static files are the same for everybody: use manage.py collectstatic.",
    "django_tenants.create_domain": "An organization's domain comes with it: use manage.py provision_tenant.",
    "django_tenants.create_missing_schemas": "Use manage.py replenish_schemas; what a sign-up waits for it makes, too.",
    "django_tenants.create_tenant": "Use manage.py provision_tenant NAME --owner-email ADDRESS.",
    "django_tenants.create_tenant_superuser": "Use manage.py provision_tenant NAME --owner-email ADDRESS.",
    "django_tenants.delete_domain": "An organization without a domain answers nowhere: use manage.py hold_tenant.",
    "django_tenants.delete_tenant": "Use manage.py hold_tenant: it closes an organization and can be taken back.",
    "django_tenants.rename_schema": "A schema's name is seen by nobody, and its placement names it: it stays.",
}
NEED_CONTEXT = {
    "django.core.dbshell",
    DUMPDATA,
    LOADDATA,
    "django.core.inspectdb",
    "django.core.showmigrations",
    "django.core.sqlmigrate",
}
NEED_CONTROL = {
    "django.contrib.contenttypes.remove_stale_contenttypes",
    "allauth.account.account_unsetmultipleprimaryemails",
}
WITHOUT_CONTEXT = {"django.core.makemigrations"}  # which asks what is applied wherever tables are at home
BY_OWNER = {"django.core.showmigrations", "django.core.sqlmigrate"}
ELSEWHERE = {TENANT: "public for the control plane", CONTROL: "SLUG for an organization's"}
NOT_ALLOWED = (errors.InsufficientPrivilege, errors.UndefinedTable, errors.InvalidSchemaName)

Execute = Callable[..., Any]


def install() -> None:
    """Ask here before any command is carried out, whoever called it."""
    BaseCommand.execute = _asking_first(BaseCommand.execute)  # type: ignore[method-assign]


def name_of(command: BaseCommand) -> str:
    """A command by the app that brings it and its module."""
    return type(command).__module__.replace(".management.commands", "")


@contextmanager
def in_a_sentence() -> Iterator[None]:
    """Say in one line what the context, or the database in it, does not allow."""
    try:
        yield
    except (ContextError, DomainError, DeserializationError, NotSupportedError, OperationalError) as error:
        raise CommandError(first_line(error)) from error
    except (ProgrammingError, errors.InsufficientPrivilege) as error:
        if not isinstance(error.__cause__ or error, NOT_ALLOWED):
            raise
        raise CommandError(first_line(error)) from error


def _asking_first(execute: Execute) -> Execute:
    @wraps(execute)
    def asking_first(command: BaseCommand, /, *args: Any, **options: Any) -> Any:
        name = name_of(command)
        _refuse(name, args)
        with ExitStack() as stack:
            if command._called_from_command_line:  # type: ignore[attr-defined]  # code that calls it wants the error
                stack.enter_context(in_a_sentence())
            if name in WITHOUT_CONTEXT:
                stack.enter_context(use(None))
            stack.enter_context(_database_of(name, options))
            stack.enter_context(refusing_other_planes(name == LOADDATA))
            return execute(command, *args, **options)

    return asking_first


def _refuse(name: str, args: Any) -> None:
    """Raises CommandError if this command does nothing good here."""
    context, short = current(), name.rpartition(".")[2]
    if name in REFUSED:
        raise CommandError(REFUSED[name])
    if name in NEED_CONTEXT and context is None:
        raise CommandError(
            f"{short} needs a context: use manage.py tenant_command {short} --schema SLUG, "
            "or --schema public for the control plane."
        )
    if name in NEED_CONTROL and (context is None or isinstance(context, TenantContext)):
        raise CommandError(f"{short} is about the control plane: use manage.py tenant_command {short} --schema public.")
    if name == DUMPDATA:
        _refuse_other_plane(args, TENANT if isinstance(context, TenantContext) else CONTROL)


def _refuse_other_plane(labels: Any, plane: str) -> None:
    for label in labels:
        app, _, model = label.partition(".")
        try:
            named = [apps.get_model(label)] if model else list(apps.get_app_config(app).get_models())
        except LookupError:
            continue  # the command says so itself
        if named and not any(plane_of(one) == plane for one in named):
            raise CommandError(f"{label} has no rows in this plane; use --schema {ELSEWHERE[plane]}.")


@contextmanager
def _database_of(name: str, options: dict[str, Any]) -> Iterator[None]:
    """Have the command use the context's database, or the owner's connection to it, if it is not told another."""
    if options.get("database") != CONTROL_ALIAS:
        yield
    elif name in BY_OWNER:
        with _by_owner(current()) as (options["database"], labels):
            if options.get("app_label") == []:
                options["app_label"] = labels
            yield
    else:
        options["database"] = unnamed.home()
        yield


@contextmanager
def _by_owner(context: Context) -> Iterator[tuple[str, list[str]]]:
    """The owner's connection in the context's schema, and the apps whose tables stand there."""
    if isinstance(context, TenantContext):
        alias = databases.owner_alias(None if context.alias == CONTROL_ALIAS else context.alias)
        with owner.pointed_at(alias, context.schema):
            yield alias, _apps_of(tenant_models())
        return
    alias = databases.owner_alias()
    connection: Any = connections[alias]
    connection.enter_schema(CONTROL, "public", PLATFORM_SCHEMA)
    try:
        yield alias, _apps_of(control_models())
    finally:
        connection.migration_plane = None


def _apps_of(models: list[Any]) -> list[str]:
    return sorted({model._meta.app_label for model in models})
