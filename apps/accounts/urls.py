from django.urls import path

from . import views

urlpatterns = [
    path("sign-in/", views.sign_in, name="account_login"),
    path("sign-in/handoff/", views.handoff, name="handoff"),
    path("sign-in/password/<uuid:user_id>/<str:token>/", views.set_password, name="set-password"),
    path("sign-in/reset/", views.reset_password, name="reset-password"),
    path("invitation/<str:token>/", views.accept_invitation, name="accept-invitation"),
    path("verify-email/<str:token>/", views.verify_email, name="verify-email"),
    path("sign-out/", views.sign_out, name="account_logout"),
    path("sign-up/", views.sign_up, name="account_signup"),
]
