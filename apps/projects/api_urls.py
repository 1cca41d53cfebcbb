from django.urls import path

from . import api

PROJECT = "projects/<uuid:project_id>"
DOCUMENT = f"{PROJECT}/documents/<uuid:document_id>"

urlpatterns = [
    path("projects", api.ProjectsView.as_view(), name="api-projects"),
    path("projects/bulk", api.BulkProjectsView.as_view(), name="api-projects-bulk"),
    path(PROJECT, api.ProjectView.as_view(), name="api-project"),
    path(f"{PROJECT}/documents", api.DocumentsView.as_view(), name="api-documents"),
    path(DOCUMENT, api.DocumentView.as_view(), name="api-document"),
    path(f"{DOCUMENT}/content", api.DocumentContentView.as_view(), name="api-document-content"),
    path(f"{PROJECT}/shares", api.SharesView.as_view(), name="api-project-shares"),
    path(f"{PROJECT}/shares/<uuid:user_id>", api.ShareView.as_view(), name="api-project-share"),
    path(f"{DOCUMENT}/shares", api.DocumentSharesView.as_view(), name="api-document-shares"),
    path(f"{DOCUMENT}/shares/<uuid:user_id>", api.DocumentShareView.as_view(), name="api-document-share"),
    path("custom-fields", api.CustomFieldsView.as_view(), name="api-custom-fields"),
    path("custom-fields/<uuid:field_id>", api.CustomFieldView.as_view(), name="api-custom-field"),
]
