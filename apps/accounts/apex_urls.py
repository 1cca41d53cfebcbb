from django.urls import path

from . import views

urlpatterns = [path("find-organizations/", views.find_organizations, name="find-organizations")]
