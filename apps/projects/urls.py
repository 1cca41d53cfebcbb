from django.urls import path

from .views import documents, fields, projects, shares

DOCUMENT = "projects/<uuid:project_id>/documents/<uuid:document_id>"

app_name = "projects"
urlpatterns = [
    path("projects/", projects.project_list, name="list"),
    path("projects/new/", projects.project_create, name="create"),
    path("projects/<uuid:project_id>/", projects.project_detail, name="detail"),
    path("projects/<uuid:project_id>/edit/", projects.project_edit, name="edit"),
    path("projects/<uuid:project_id>/delete/", projects.project_delete, name="delete"),
    path("projects/<uuid:project_id>/shares/", shares.project_shares, name="shares"),
    path("projects/<uuid:project_id>/share/", shares.project_share, name="share"),
    path("projects/<uuid:project_id>/unshare/", shares.project_unshare, name="unshare"),
    path("projects/<uuid:project_id>/documents/", documents.document_upload, name="document-upload"),
    path(f"{DOCUMENT}/", documents.document_link, name="document-link"),
    path(f"{DOCUMENT}/file/", documents.document_download, name="document-download"),
    path(f"{DOCUMENT}/delete/", documents.document_delete, name="document-delete"),
    path(f"{DOCUMENT}/shares/", shares.document_shares, name="document-shares"),
    path(f"{DOCUMENT}/share/", shares.document_share, name="document-share"),
    path(f"{DOCUMENT}/unshare/", shares.document_unshare, name="document-unshare"),
    path("settings/fields/", fields.field_list, name="fields"),
    path("settings/fields/new/", fields.field_create, name="field-create"),
    path("settings/fields/<uuid:field_id>/", fields.field_edit, name="field-edit"),
    path("settings/fields/<uuid:field_id>/delete/", fields.field_delete, name="field-delete"),
]
