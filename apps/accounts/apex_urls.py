from django.urls import path

from .views import entry

urlpatterns = [path("find-organizations/", entry.find_organizations, name="find-organizations")]
