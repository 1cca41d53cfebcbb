from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    read_from_primary = True  # who somebody is and what they may do
