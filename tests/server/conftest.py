"""The web server as the Procfile starts it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.support.serving import listening

SMALL, LARGE = b"a { color: red }\n", b"b { color: red }\n" * 40_000


@pytest.fixture(scope="session")
def port(platform) -> Iterator[int]:
    """A server of this worker's own, with a small static file and a large one."""
    for name, content in (("small.css", SMALL), ("large.css", LARGE)):
        (Path(settings.STATIC_ROOT) / name).write_bytes(content)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings_test"}
    with listening(environment, stderr=subprocess.DEVNULL) as (number, _):
        yield number
