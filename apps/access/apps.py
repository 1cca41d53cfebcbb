from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "apps.access"
    read_from_primary = True  # what somebody may do
