from django.urls import path

from .views import audit, entry, keys, organization, own

urlpatterns = [
    path("sign-in/", entry.sign_in, name="account_login"),
    path("sign-in/handoff/", entry.handoff, name="handoff"),
    path("sign-in/password/<uuid:user_id>/<str:token>/", entry.set_password, name="set-password"),
    path("sign-in/reset/", entry.reset_password, name="reset-password"),
    path("invitation/<str:token>/", entry.accept_invitation, name="accept-invitation"),
    path("verify-email/<str:token>/", entry.verify_email, name="verify-email"),
    path("sign-out/", entry.sign_out, name="account_logout"),
    path("sign-up/", entry.sign_up, name="account_signup"),
    path("profile/", own.profile, name="profile"),
    path("profile/verification/", own.send_verification, name="send-verification"),
    path("security/", own.security, name="security"),
    path("security/sessions/<uuid:session_id>/end/", own.end_session, name="end-session"),
    path("security/sign-out-everywhere/", own.sign_out_everywhere, name="sign-out-everywhere"),
    path("audit/", audit.audit_log, name="audit-log"),
    path("audit/verification/", audit.verify_chain, name="verify-chain"),
    path("api-keys/", keys.key_list, name="api-keys-page"),
    path("api-keys/new/", keys.key_create, name="key-create"),
    path("api-keys/<uuid:key_id>/revoke/", keys.key_revoke, name="key-revoke"),
    path("settings/", organization.organization_settings, name="settings"),
    path("settings/logo/", organization.upload_logo, name="logo-upload"),
    path("settings/logo/remove/", organization.remove_logo, name="logo-remove"),
    path("settings/danger/", organization.danger_zone, name="danger-zone"),
    path("brand/logo", organization.logo, name="brand-logo"),
    path("brand.css", organization.brand_stylesheet, name="brand-css"),
]
