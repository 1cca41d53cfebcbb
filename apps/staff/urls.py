from django.urls import path

from . import fleet_views, views
from .site import site

urlpatterns = [
    path("outbox/", views.outbox, name="staff-outbox"),
    path("outbox/<str:database>/<uuid:event_id>/retry/", views.retry, name="staff-outbox-retry"),
    path("fleet/", fleet_views.fleet, name="staff-fleet"),
    path("fleet/retry/", fleet_views.retry_quarantined, name="staff-fleet-retry"),
    path("", site.urls),
]
