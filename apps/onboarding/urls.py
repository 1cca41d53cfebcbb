from django.urls import path

from . import views

urlpatterns = [
    path("", views.landing, name="landing"),
    path("sign-up/", views.sign_up, name="sign-up"),
    path("sign-up/address/", views.address, name="sign-up-address"),
    path("status/", views.status, name="status"),
]
