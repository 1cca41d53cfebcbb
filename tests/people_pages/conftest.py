"""The pages, opened by the owner."""

from __future__ import annotations

import pytest
from django.test import Client


@pytest.fixture
def browser(acme, sign_in) -> Client:
    return sign_in(acme)
