from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "apps.tenancy"

    def ready(self) -> None:
        from . import checks  # noqa: F401, PLC0415  registers the system checks
