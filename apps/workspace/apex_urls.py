from django.conf import settings
from django.urls import path

from . import views

urlpatterns = [path("theme/", views.theme, name="theme")]
if settings.DEVELOPMENT:
    urlpatterns.append(path("dev/components/", views.components, name="components"))
