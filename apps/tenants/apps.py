from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "apps.tenants"
    read_from_primary = True  # where an organization is, and whether it is open
