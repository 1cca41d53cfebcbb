#!/usr/bin/env python
import atexit
import gc
import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line

from deploy.checkout import is_left_to_checkout

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    atexit.register(gc.freeze)  # nothing is worth collecting on the way out, which takes as long as a short command
    if is_left_to_checkout(os.environ):
        from deploy.local.adopting import adopt  # with libraries that are not there in production

        adopt()
    try:
        settings.SECRET_KEY  # noqa: B018  which loads them all
    except ValueError as error:  # of a variable that is missing or wrong
        sys.exit(f"error: {error} (`make run` starts an installation here; docs/configuration.md has the variables)")
    execute_from_command_line(sys.argv)
