"""Somebody who delivers the mails."""

from __future__ import annotations

import pytest

from .mailbox import (
    Postman,
)


@pytest.fixture
def postman(platform, database) -> Postman:
    return Postman()
