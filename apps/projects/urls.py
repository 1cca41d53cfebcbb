from django.urls import path

from . import field_views, views

app_name = "projects"
urlpatterns = [
    path("projects/", views.project_list, name="list"),
    path("projects/new/", views.project_create, name="create"),
    path("projects/<uuid:project_id>/", views.project_detail, name="detail"),
    path("projects/<uuid:project_id>/edit/", views.project_edit, name="edit"),
    path("projects/<uuid:project_id>/delete/", views.project_delete, name="delete"),
    path("projects/<uuid:project_id>/documents/", views.document_upload, name="document-upload"),
    path("projects/<uuid:project_id>/documents/<uuid:document_id>/", views.document_link, name="document-link"),
    path(
        "projects/<uuid:project_id>/documents/<uuid:document_id>/file/",
        views.document_download,
        name="document-download",
    ),
    path(
        "projects/<uuid:project_id>/documents/<uuid:document_id>/delete/",
        views.document_delete,
        name="document-delete",
    ),
    path("settings/fields/", field_views.field_list, name="fields"),
    path("settings/fields/new/", field_views.field_create, name="field-create"),
    path("settings/fields/<uuid:field_id>/", field_views.field_edit, name="field-edit"),
    path("settings/fields/<uuid:field_id>/delete/", field_views.field_delete, name="field-delete"),
]
