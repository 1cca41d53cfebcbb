"""What every attack needs: a member at home, and something worth stealing elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.things import Belongings, stock


@pytest.fixture
def loot(foreign) -> Belongings:
    """What the foreign organization owns."""
    return stock(foreign)


@pytest.fixture
def own(home) -> Belongings:
    """What the attacker's own organization owns."""
    return stock(home)


@pytest.fixture
def untouched(loot) -> Iterator[None]:
    """The foreign organization's rows and files are the same after the test as before."""
    with loot.organization.untouched():
        yield
