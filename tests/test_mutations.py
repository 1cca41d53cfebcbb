"""The mutations that `make mutants` tries are still changes to the code that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.mutations import MUTATIONS

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_mutation__of_the_code__fits_it(mutation):
    original = (ROOT / mutation.file).read_text()

    assert original.count(mutation.old) >= 1
    assert original.replace(mutation.old, mutation.new) != original
