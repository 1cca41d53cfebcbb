from django.urls import path

from .views import entry

urlpatterns = [
    path("sign-in/", entry.sign_in, name="account_login"),
    path("sign-in/handoff/", entry.handoff, name="handoff"),
    path("sign-in/password/<uuid:user_id>/<str:token>/", entry.set_password, name="set-password"),
    path("sign-in/reset/", entry.reset_password, name="reset-password"),
    path("invitation/<str:token>/", entry.accept_invitation, name="accept-invitation"),
    path("verify-email/<str:token>/", entry.verify_email, name="verify-email"),
    path("sign-out/", entry.sign_out, name="account_logout"),
    path("sign-up/", entry.sign_up, name="account_signup"),
]
