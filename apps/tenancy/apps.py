from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "apps.tenancy"

    def ready(self) -> None:
        from . import checks, unnamed  # noqa: F401, PLC0415  checks registers the system checks

        unnamed.install()
