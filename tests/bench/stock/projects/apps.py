from django.apps import AppConfig


class StockConfig(AppConfig):
    name = "tests.bench.stock.projects"
