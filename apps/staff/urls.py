from django.urls import path

from . import views
from .site import site

urlpatterns = [
    path("outbox/", views.outbox, name="staff-outbox"),
    path("outbox/<str:database>/<uuid:event_id>/retry/", views.retry, name="staff-outbox-retry"),
    path("", site.urls),
]
