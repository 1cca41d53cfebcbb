"""The API, called by the owner."""

from __future__ import annotations

import pytest
from django.test import Client

from .callers import program


@pytest.fixture
def client(acme) -> Client:
    """The owner's."""
    return program(acme)
