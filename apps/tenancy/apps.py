from django.apps import AppConfig
from django.db.models.signals import post_delete


class TenancyConfig(AppConfig):
    name = "apps.tenancy"

    def ready(self) -> None:
        from . import checks, unnamed  # noqa: F401, PLC0415  checks registers the system checks

        unnamed.install()
        _hear_of_deleted_tenants_only()


def _hear_of_deleted_tenants_only() -> None:
    """django-tenants asks about each deleted row whether it is a tenant, for which Django has to fetch them all."""
    from django_tenants.signals import tenant_delete_callback  # noqa: PLC0415  what it imports needs the models
    from django_tenants.utils import get_tenant_model  # noqa: PLC0415

    post_delete.disconnect(tenant_delete_callback)
    post_delete.connect(tenant_delete_callback, sender=get_tenant_model())
