"""Measurements against a stock django-tenants project on the same server: ``python -m tests.bench [NAME…]``."""
