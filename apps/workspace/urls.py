from django.urls import path

from . import views

urlpatterns = [
    path("", views.overview, name="overview"),
    path("search/", views.search, name="search"),
    path("theme/", views.theme, name="theme"),
]
