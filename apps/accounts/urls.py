from django.urls import path

from . import views

urlpatterns = [
    path("sign-in/", views.sign_in, name="account_login"),
    path("sign-in/handoff/", views.handoff, name="handoff"),
    path("sign-in/password/<uuid:user_id>/<str:token>/", views.set_password, name="set-password"),
    path("sign-out/", views.sign_out, name="account_logout"),
    path("sign-up/", views.sign_up, name="account_signup"),
]
