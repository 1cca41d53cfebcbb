"""Organizations, their addresses, and where their rows are."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, ClassVar
from uuid import UUID, uuid4

from django.db import models
from django.db.models import F, Q
from django_tenants.models import DomainMixin, TenantMixin

from apps.core.encryption import EncryptedTextField
from apps.tenancy import context as contexts
from apps.tenancy import databases
from apps.tenancy.context import CONTROL_ALIAS, TenantContext, control
from apps.tenancy.fields import TenantKey, TenantOneToOneKey

from .errors import TenantNotFound, TenantNotReady

DIRECTORY = ("placement__database", "profile")


class OrganizationQuerySet(models.QuerySet["Tenant"]):
    def with_placement(self) -> OrganizationQuerySet:
        return self.select_related("placement__database")

    def for_directory(self) -> OrganizationQuerySet:
        """With all that a request must know of an organization, in one query."""
        return self.select_related(*DIRECTORY)

    def without_probes(self) -> OrganizationQuerySet:
        return self.filter(is_probe=False)


class Tenant(TenantMixin):  # type: ignore[misc]
    """An organization. ``schema_name`` is its logical name; its Placement says where the rows are.

    A probe was created to be attacked: nobody's customer, counted nowhere, removed when the attack is over.
    """

    auto_create_schema = False

    class Status(models.TextChoices):
        PROVISIONING = "provisioning"
        READY = "ready"
        DEACTIVATED = "deactivated"
        ERASED = "erased"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(max_length=200, db_index=True)
    slug = models.CharField(max_length=63, unique=True)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.PROVISIONING)
    requested_placement = models.CharField(max_length=8)
    is_probe = models.BooleanField(default=False, db_default=False, editable=False)
    held_at = models.DateTimeField(null=True, blank=True)
    hold_reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ready_at = models.DateTimeField(null=True, blank=True)

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["created_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="tenants_tenant_status_known",
                condition=Q(status__in=["provisioning", "ready", "deactivated", "erased"]),
            ),
            models.CheckConstraint(
                name="tenants_tenant_hold_has_reason", condition=Q(held_at__isnull=True) | ~Q(hold_reason="")
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def __enter__(self) -> Tenant:
        """Enter the tenant's context; kept per thread and task, unlike the parent class's shared list."""
        _entered.set((*_entered.get(), contexts.current()))
        contexts.replace(self.context())
        return self

    def __exit__(self, *exc: object) -> None:
        *rest, previous = _entered.get()
        _entered.set(tuple(rest))
        contexts.replace(previous)

    @property
    def is_held(self) -> bool:
        return self.held_at is not None

    @property
    def is_open(self) -> bool:
        return self.status == self.Status.READY and not self.is_held

    def context(self) -> TenantContext:
        """The context of this tenant; makes its database usable in this process. Raises TenantNotReady."""
        placement = self._placement()
        if self.status != self.Status.READY or placement is None:
            raise TenantNotReady(f"The organization is {self.status}.")
        if placement.database is not None:
            placement.database.register()
        return TenantContext(
            tenant_id=self.id,
            schema_name=self.schema_name,
            alias=placement.alias,
            schema=placement.schema,
            slug=self.slug,
            placement=placement.kind,
            status=self.status,
            tenant=self,
        )

    def _placement(self) -> Placement | None:
        if "placement" in self._state.fields_cache:
            cached: Placement | None = self._state.fields_cache["placement"]
            return cached
        with control("find placement"):
            return Placement.objects.select_related("database").filter(tenant_id=self.id).first()

    @classmethod
    def context_for_id(cls, tenant_id: UUID) -> TenantContext:
        return cls._looked_up(id=tenant_id).context()

    @classmethod
    def context_for_schema_name(cls, schema_name: str) -> TenantContext:
        return cls._looked_up(schema_name=schema_name).context()

    @classmethod
    def _looked_up(cls, **lookup: Any) -> Tenant:
        with control("find tenant"):
            tenant = cls.objects.with_placement().filter(**lookup).first()
        if tenant is None:
            raise TenantNotFound
        return tenant


_entered: ContextVar[tuple[contexts.Context, ...]] = ContextVar("entered_tenants", default=())


class Domain(DomainMixin):  # type: ignore[misc]
    """A host name of a tenant. Links are built from the primary one."""

    tenant = TenantKey(related_name="domains")


class Profile(models.Model):
    """How an organization shows itself, and the language and time zone of those who have not chosen."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant = TenantOneToOneKey(related_name="profile")
    locale = models.CharField(max_length=12, default="en")
    time_zone = models.CharField(max_length=64, default="UTC")
    brand_name = models.CharField(max_length=60, blank=True)
    brand_color = models.CharField(max_length=7, blank=True)
    logo = models.CharField(max_length=100, blank=True)  # its name in the organization's own storage
    logo_type = models.CharField(max_length=20, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"profile of {self.tenant_id}"

    @property
    def name(self) -> str:
        return str(self.tenant.name)

    @property
    def has_logo(self) -> bool:
        return bool(self.logo)


class DataKey(models.Model):
    """A tenant's data key, wrapped by a master key. Deleting it makes what it encrypted unreadable."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant = TenantKey(related_name="data_keys", privileges="SELECT, INSERT")
    version = models.PositiveIntegerField(default=1)
    master_version = models.PositiveIntegerField()
    wrapped = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["tenant", "version"], name="tenants_datakey_version"),
        ]

    def __str__(self) -> str:
        return f"data key {self.version} of {self.tenant_id}"


class PoolQuerySet(models.QuerySet["Pool"]):
    def open(self) -> PoolQuerySet:
        """Those that take new organizations, if they have room."""
        return self.filter(is_open=True)

    def with_room(self) -> PoolQuerySet:
        """Those that a new organization may go to now, the one with the most room first."""
        left = F("capacity") - F("tenant_count")
        return self.open().filter(built=True, tenant_count__lt=F("capacity")).order_by(left.desc(), "number")


class Pool(models.Model):
    """A numbered schema shared by many tenants."""

    number = models.PositiveIntegerField(unique=True)
    schema = models.CharField(max_length=63, unique=True)
    capacity = models.PositiveIntegerField()
    tenant_count = models.PositiveIntegerField(default=0)
    built = models.BooleanField(default=False)
    is_open = models.BooleanField(default=True, db_default=True)

    objects = PoolQuerySet.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="tenants_pool_not_over_full", condition=Q(tenant_count__lte=F("capacity"))),
        ]

    def __str__(self) -> str:
        return self.schema


class TenantDatabase(models.Model):
    """A tenant's own database, with a login of its own."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant = TenantOneToOneKey(related_name="database", privileges="")
    name = models.CharField(max_length=63, unique=True)
    schema = models.CharField(max_length=63)
    built = models.BooleanField(default=False)
    url: Any = EncryptedTextField()
    replica_address = models.CharField(max_length=260, blank=True, db_default="")  # host:port; the rest is as in url
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    @property
    def alias(self) -> str:
        return self.name

    def register(self) -> None:
        """Make the alias usable in this process with the current credentials."""
        if not databases.is_registered(self.alias, self.version):
            url = self.url.reveal()
            databases.register(self.alias, url, self.version, replica_address=self.replica_address)


class PlacementQuerySet(models.QuerySet["Placement"]):
    def warm(self) -> PlacementQuerySet:
        """Schemas that wait for a tenant. Having none is asked for, too: the release before says no more than that."""
        return self.filter(state=Placement.State.WARM, tenant__isnull=True)


class Placement(models.Model):
    """Where one tenant's rows are, or may be next, or have been."""

    class State(models.TextChoices):
        """Only what is warm is ever given to a tenant: where somebody has been may still hold their rows."""

        WARM = "warm", "kept ready for the next sign-up"
        USED = "used", "a tenant's"
        LEFT = "left", "its tenant has moved elsewhere, and may come back"
        RETIRED = "retired", "nothing is left in it"

    class Kind(models.TextChoices):
        POOL = "pool"
        SCHEMA = "schema"
        DATABASE = "database"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant = TenantOneToOneKey(related_name="placement", null=True)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WARM, db_default=State.WARM)
    pool = models.ForeignKey(Pool, models.PROTECT, null=True, related_name="placements")
    database = models.OneToOneField(TenantDatabase, models.PROTECT, null=True, related_name="placement")
    schema = models.CharField(max_length=63)
    built = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    claimed_at = models.DateTimeField(null=True)

    objects = PlacementQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["schema"], condition=Q(pool__isnull=True), name="tenants_placement_own_schema"
            ),
            models.CheckConstraint(
                name="tenants_placement_kind",
                condition=Q(kind="pool", pool__isnull=False, database__isnull=True)
                | Q(kind="schema", pool__isnull=True, database__isnull=True)
                | Q(kind="database", pool__isnull=True, database__isnull=False),
            ),
            models.CheckConstraint(
                name="tenants_placement_state",
                condition=Q(state__in=["warm", "used"]) | Q(state__in=["left", "retired"], tenant__isnull=True),
            ),
            models.CheckConstraint(
                name="tenants_placement_only_schemas_are_warm", condition=Q(tenant__isnull=False) | Q(kind="schema")
            ),
            models.CheckConstraint(
                name="tenants_placement_claimed_is_built", condition=Q(tenant__isnull=True) | Q(built=True)
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["created_at"], condition=Q(tenant__isnull=True), name="tenants_placement_warm"),
        ]

    def __str__(self) -> str:
        return f"{self.alias}/{self.schema}"

    @property
    def alias(self) -> str:
        return self.database.alias if self.database is not None else CONTROL_ALIAS
