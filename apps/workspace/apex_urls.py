from django.conf import settings
from django.urls import path

from .views import appearance

urlpatterns = [path("theme/", appearance.theme, name="theme")]
if settings.DEVELOPMENT:
    urlpatterns.append(path("dev/components/", appearance.components, name="components"))
