#!/usr/bin/env python
import atexit
import gc
import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    atexit.register(gc.freeze)  # nothing is worth collecting on the way out, which takes as long as a short command
    execute_from_command_line(sys.argv)
