"""Routes of the apex."""

from django.conf import settings
from django.urls import include, path

urlpatterns = [
    path("", include("apps.onboarding.urls")),
    path("", include("apps.accounts.apex_urls")),
    path("", include("apps.workspace.apex_urls")),
    path("admin/", include("apps.staff.urls")),
    path("api/v1/", include("apps.onboarding.api_urls")),
    path("", include("config.urls_api")),
]
if settings.DEVELOPMENT:
    urlpatterns.append(path("", include("apps.notifications.urls")))

handler400 = "apps.core.problems.bad_request"
handler403 = "apps.accounts.refusals.permission_denied"
handler404 = "apps.core.problems.not_found"
handler500 = "apps.core.problems.server_error"
