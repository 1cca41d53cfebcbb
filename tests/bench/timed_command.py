"""``python -m tests.bench.timed_command COMMAND…``: manage.py with further migrations of the example product.

The last line printed is the seconds that the command took once Python and Django had started.
"""

from __future__ import annotations

import atexit
import gc
import sys
import time

import django
from django.conf import settings
from django.core.management import call_command

settings.MIGRATION_MODULES = {"projects": "tests.bench.next_release"}
atexit.register(gc.freeze)  # as our manage.py does
django.setup()
began = time.perf_counter()
call_command(*sys.argv[1:])
print(time.perf_counter() - began)
