import gc
import os

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.urls import get_resolver

from apps.tenancy.walls import pooling

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


class Request(WSGIRequest):
    """Read as UTF-8, whatever charset its header names: with some that Python knows, such as hex, reading fails."""

    encoding = property(lambda self: None, lambda self, value: None)  # type: ignore[assignment]


class Handler(WSGIHandler):
    request_class = Request


django.setup(set_prefix=False)
application = Handler()
pooling.exit_if_unsafe()
get_resolver().check()  # loads the views, so that the first request finds them
gc.collect()
gc.freeze()  # what is loaded now stays: walking it again and again would hold up a request for a tenth of a second
