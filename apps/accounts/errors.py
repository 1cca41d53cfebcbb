from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.errors import DomainError, NotFoundError


class EmailUnavailable(DomainError):
    status = 409
    code = "email_unavailable"
    message = _("This e-mail address and password do not go together. Use the password you already have, if any.")


class WeakPassword(DomainError):
    status = 400
    code = "weak_password"


class WrongPassword(DomainError):
    status = 403
    code = "wrong_password"
    message = _("That is not your password.")


class CredentialsRefused(DomainError):
    status = 401
    code = "credentials_refused"
    message = _("The e-mail address or the password is not correct.")


class OrganizationRequired(DomainError):
    """The person belongs to several organizations; ``organizations`` are those to choose from."""

    status = 409
    code = "organization_required"
    message = "You belong to several organizations. Name one."

    def __init__(self, organizations: list[dict[str, str]]) -> None:
        super().__init__(field="organization")
        self.extra = {"organizations": organizations}


class OrganizationHeld(DomainError):
    status = 403
    code = "tenant_held"
    message = _("The organization is on hold.")


class TokenRefused(DomainError):
    status = 401
    code = "token_refused"
    message = "The token is not valid, has expired, or was revoked."


class ForeignToken(DomainError):
    status = 403
    code = "foreign_token"
    message = "The token belongs to another organization."


class VisitRefused(DomainError):
    status = 403
    code = "visit_refused"
    message = _("Only superusers may look into an organization, and only into one that is open.")


class VisitIsReadOnly(DomainError):
    status = 403
    code = "visit_read_only"
    message = _("Staff visits are read-only. End the visit first.")


class HandoffRefused(DomainError):
    status = 403
    code = "handoff_refused"
    message = _("This sign-in link was used already, or is older than a minute. Please sign in.")


class PasswordLinkRefused(DomainError):
    status = 403
    code = "password_link_refused"
    message = _("This link was used already, or is too old. Ask for a new one.")


class VerificationRefused(DomainError):
    status = 403
    code = "verification_refused"
    message = _("This link is not for this account, or is too old. Ask for a new one.")


class InvitationRefused(DomainError):
    status = 403
    code = "invitation_refused"
    message = _("This invitation was used already, was withdrawn, or is too old. Ask for a new one.")


class InvitationElsewhere(DomainError):
    status = 400
    code = "invitation_elsewhere"
    message = "An invitation is accepted at the address of its organization, which its link begins with."


class AlreadyInvited(DomainError):
    code = "already_invited"
    message = _("This address has an open invitation already.")


class AlreadyMember(DomainError):
    code = "already_member"
    message = _("This person is a member already.")


class LastOwner(DomainError):
    code = "last_owner"
    message = _("An organization needs an owner. Make somebody else an owner first.")


class BeyondOwnRights(DomainError):
    status = 403
    code = "beyond_own_rights"
    message = _("Nobody can give or take away rights that they do not have themselves.")


class UnknownRole(DomainError):
    status = 400
    code = "unknown_role"
    message = _("There is no such role.")


class UnknownPermission(DomainError):
    status = 400
    code = "unknown_permission"
    message = _("There is no such permission.")


class RoleNameTaken(DomainError):
    code = "role_name_taken"
    message = _("There already is a role with this name.")


class RoleInUse(DomainError):
    code = "role_in_use"
    message = _("Members or invitations still have this role.")


class InvalidExpiry(DomainError):
    status = 400
    code = "invalid_expiry"
    message = _("The expiry must be in the future.")


class PersonNotFound(NotFoundError):
    code = "person_not_found"
    message = _("Nobody has this address.")


class MemberNotFound(NotFoundError):
    code = "member_not_found"
    message = _("There is no such member.")


class InvitationNotFound(NotFoundError):
    code = "invitation_not_found"
    message = _("There is no such open invitation.")


class RoleNotFound(NotFoundError):
    code = "role_not_found"
    message = _("There is no such role.")


class ApiKeyNotFound(NotFoundError):
    code = "api_key_not_found"
    message = _("There is no such API key.")


class SessionNotFound(NotFoundError):
    code = "session_not_found"
    message = _("There is no such session.")


class ShareNotFound(NotFoundError):
    code = "share_not_found"
    message = _("It is not shared with this person.")
