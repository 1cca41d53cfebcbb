from django.urls import path

from .views import entry

urlpatterns = [
    path("sign-in/", entry.choose_organization, name="choose-organization"),
    path("find-organizations/", entry.find_organizations, name="find-organizations"),
]
