from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "apps.tenants"
    read_from_primary = True  # where an organization is, and whether it is open

    def ready(self) -> None:
        from . import stock_commands  # noqa: PLC0415  what it imports needs the models

        stock_commands.install()
