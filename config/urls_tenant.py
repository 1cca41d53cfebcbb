"""Routes of a tenant's host."""

from django.urls import include, path

urlpatterns = [
    path("", include("apps.workspace.urls")),
    path("", include("apps.projects.urls")),
    path("", include("apps.accounts.urls")),
    path("", include("config.urls_api")),
]

handler400 = "apps.core.problems.bad_request"
handler403 = "apps.accounts.refusals.permission_denied"
handler404 = "apps.core.problems.not_found"
handler500 = "apps.core.problems.server_error"
