from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "apps.operations"

    def ready(self) -> None:
        from . import checks  # noqa: F401, PLC0415  which registers the system checks
