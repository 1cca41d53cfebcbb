"""What Granian serves (see the Procfile)."""

from django.conf import settings

from config import wsgi  # sets Django up, which the rest needs
from config.server.application import Server

application = Server(wsgi.application, settings.DATA_DIR / "spool")
