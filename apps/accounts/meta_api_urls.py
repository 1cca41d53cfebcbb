from django.urls import path

from .api import meta

urlpatterns = [
    path("api/v1/schema/", meta.SchemaView.as_view(), name="api-schema"),
    path("api/v1/docs/", meta.DocsView.as_view(url_name="api-schema"), name="api-docs"),
    path(".well-known/jwks.json", meta.jwks, name="jwks"),
]
