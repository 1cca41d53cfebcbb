from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class WorkspaceConfig(AppConfig):
    name = "apps.workspace"

    def ready(self) -> None:
        autodiscover_modules("search")  # in which apps declare what is found by the search
