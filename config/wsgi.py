import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from apps.tenancy import pooling

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
pooling.exit_if_unsafe()
get_resolver().check()  # loads the views, so that the first request finds them
gc.collect()
gc.freeze()  # what is loaded now stays: walking it again and again would hold up a request for a tenth of a second
