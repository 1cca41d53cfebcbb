import gc
import os

import django
from django.urls import get_resolver

from apps.tenancy.walls import pooling
from config.handlers import Application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup(set_prefix=False)
application = Application()
pooling.exit_if_unsafe()
get_resolver().check()  # loads the views, so that the first request finds them
gc.collect()
gc.freeze()  # what is loaded now stays: walking it again and again would hold up a request for a tenth of a second
