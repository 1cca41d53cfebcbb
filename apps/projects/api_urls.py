from django.urls import path

from . import api

urlpatterns = [path("projects", api.ProjectsView.as_view(), name="api-projects")]
