from django.urls import path

from . import api

urlpatterns = [path("auth/register", api.RegisterView.as_view(), name="api-register")]
