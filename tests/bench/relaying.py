"""``python -m tests.bench.relaying``: the relay, which knows the benchmark's subscribers too."""

from __future__ import annotations

import sys

from django.conf import settings
from django.core.management import execute_from_command_line

settings.SECRET_KEY  # noqa: B018  which loads the Celery application that they are registered with

from . import subscribers  # noqa: E402, F401

sys.exit(execute_from_command_line(["manage.py", "relay"]))
