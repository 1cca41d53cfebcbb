from django.urls import path

from .api import auth, keys, people, roles

urlpatterns = [
    path("auth/login", auth.LoginView.as_view(), name="api-login"),
    path("auth/refresh", auth.RefreshView.as_view(), name="api-refresh"),
    path("auth/logout", auth.LogoutView.as_view(), name="api-logout"),
    path("auth/logout-everywhere", auth.SignOutEverywhereView.as_view(), name="api-logout-everywhere"),
    path("auth/validate", auth.ValidateView.as_view(), name="api-validate"),
    path("auth/password-reset", auth.PasswordResetView.as_view(), name="api-password-reset"),
    path("auth/find-organizations", auth.FindOrganizationsView.as_view(), name="api-find-organizations"),
    path("users/me", people.MeView.as_view(), name="api-me"),
    path("users/me/password", people.PasswordView.as_view(), name="api-password"),
    path("users/me/verification", people.VerificationView.as_view(), name="api-verification"),
    path("members", people.MembersView.as_view(), name="api-members"),
    path("members/leave", people.LeaveView.as_view(), name="api-leave"),
    path("members/<uuid:member_id>", people.MemberView.as_view(), name="api-member"),
    path("members/<uuid:member_id>/ownership", people.OwnershipView.as_view(), name="api-ownership"),
    path("invitations", people.InvitationsView.as_view(), name="api-invitations"),
    path("invitations/accept", people.AcceptView.as_view(), name="api-accept"),
    path("invitations/<uuid:invitation_id>", people.InvitationView.as_view(), name="api-invitation"),
    path("invitations/<uuid:invitation_id>/resend", people.ResendView.as_view(), name="api-resend"),
    path("roles", roles.RolesView.as_view(), name="api-roles"),
    path("roles/<uuid:role_id>", roles.RoleView.as_view(), name="api-role"),
    path("permissions", people.PermissionsView.as_view(), name="api-permissions"),
    path("api-keys", keys.ApiKeysView.as_view(), name="api-keys"),
    path("api-keys/<uuid:key_id>", keys.ApiKeyView.as_view(), name="api-key"),
    path("sessions", people.SessionsView.as_view(), name="api-sessions"),
    path("sessions/<uuid:session_id>", people.SessionView.as_view(), name="api-session"),
]
