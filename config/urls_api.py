"""The API, the same on the apex and on every tenant's host."""

from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("apps.accounts.api_urls")),
    path("api/v1/", include("apps.projects.api_urls")),
    path("api/v1/", include("apps.workspace.api_urls")),
    path("", include("apps.accounts.meta_api_urls")),
]
