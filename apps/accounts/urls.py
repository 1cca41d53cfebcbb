from django.urls import path

from .views import entry, invitations, members, roles

urlpatterns = [
    path("sign-in/", entry.sign_in, name="account_login"),
    path("sign-in/handoff/", entry.handoff, name="handoff"),
    path("sign-in/password/<uuid:user_id>/<str:token>/", entry.set_password, name="set-password"),
    path("sign-in/reset/", entry.reset_password, name="reset-password"),
    path("invitation/<str:token>/", entry.accept_invitation, name="accept-invitation"),
    path("verify-email/<str:token>/", entry.verify_email, name="verify-email"),
    path("sign-out/", entry.sign_out, name="account_logout"),
    path("sign-up/", entry.sign_up, name="account_signup"),
    path("members/", members.member_list, name="members"),
    path("members/leave/", members.leave, name="leave"),
    path("members/<uuid:member_id>/role/", members.change_role, name="member-role"),
    path("members/<uuid:member_id>/ownership/", members.transfer_ownership, name="member-ownership"),
    path("members/<uuid:member_id>/remove/", members.remove, name="member-remove"),
    path("invitations/", invitations.invitation_list, name="invitations"),
    path("invitations/new/", invitations.invite, name="invite"),
    path("invitations/<uuid:invitation_id>/resend/", invitations.resend, name="invitation-resend"),
    path("invitations/<uuid:invitation_id>/revoke/", invitations.revoke, name="invitation-revoke"),
    path("roles/", roles.role_list, name="roles"),
    path("roles/new/", roles.create, name="role-create"),
    path("roles/<uuid:role_id>/", roles.edit, name="role"),
    path("roles/<uuid:role_id>/delete/", roles.delete, name="role-delete"),
]
