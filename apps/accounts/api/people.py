"""The caller's own profile, members, invitations, sessions."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import available_timezones

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.list_query import ListQuery
from apps.access.permissions import DESCRIPTIONS, MEMBER, ORGANIZATION_READ, USERS_MANAGE
from apps.access.resources import ResourceView, allow
from apps.access.services.attempts import ACCEPTANCE, PASSWORD, VERIFICATION, count_attempt
from apps.core.api_fields import AddressField, NameField
from apps.core.locales import LOCALE
from apps.core.row_serializers import ModelSerializer

from .. import selectors
from ..errors import InvitationElsewhere, MemberNotFound
from ..known_devices import remember
from ..mail_limits import count_mail
from ..models import Invitation, Membership
from ..roles import named
from ..serializers import TokensSerializer, described
from ..services import invitations, members, people, sessions, tokens


class MemberSerializer(ModelSerializer[Membership]):
    role = serializers.CharField(source="role_name")

    class Meta:
        model = Membership
        fields = ("id", "user_id", "email", "name", "role", "custom_role_id", "created_at", "updated_at")
        read_only_fields = fields


class RoleNameSerializer(serializers.Serializer[Any]):
    role = serializers.CharField(max_length=60, help_text="owner, admin, member, viewer, or the id of a custom role.")


class ProfileSerializer(serializers.Serializer[Any]):
    name = NameField(max_length=150, allow_blank=True, required=False, one_script=True)
    locale = serializers.RegexField(LOCALE, max_length=12, allow_blank=True, required=False)
    time_zone = serializers.CharField(max_length=64, allow_blank=True, required=False)

    def validate_time_zone(self, value: str) -> str:
        if value and value not in available_timezones():
            raise serializers.ValidationError("This is no time zone of the IANA database.")
        return value


class MeSerializer(ModelSerializer[Membership]):
    id = serializers.UUIDField(source="user_id", read_only=True)
    member_id = serializers.UUIDField(source="id", read_only=True)
    role = serializers.CharField(source="role_name", read_only=True)
    permissions = serializers.SerializerMethodField()

    class Meta:
        model = Membership
        fields = (
            "id",
            "member_id",
            "email",
            "name",
            "locale",
            "time_zone",
            "role",
            "permissions",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    def get_permissions(self, membership: Membership) -> list[str]:
        return sorted(membership.permissions)


class PasswordSerializer(serializers.Serializer[Any]):
    old_password = serializers.CharField(max_length=1000, trim_whitespace=False)
    new_password = serializers.CharField(max_length=1000, trim_whitespace=False)


class InvitationSerializer(ModelSerializer[Invitation]):
    role = serializers.CharField(source="role_name")

    class Meta:
        model = Invitation
        fields = (
            "id",
            "email",
            "role",
            "custom_role_id",
            "invited_by_id",
            "created_at",
            "expires_at",
            "undeliverable_at",
        )
        extra_kwargs: ClassVar[dict[str, Any]] = {
            "undeliverable_at": {
                "help_text": "When the mail was refused for good, or null. Send it again, or withdraw."
            }
        }
        read_only_fields = fields


class InviteSerializer(RoleNameSerializer):
    email = AddressField(max_length=254)


class AcceptSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=200)
    password = serializers.CharField(max_length=1000, trim_whitespace=False)
    name = NameField(max_length=150, required=False, allow_blank=True, one_script=True)


class SessionSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=["browser", "client"])
    ip = serializers.IPAddressField(allow_null=True)
    user_agent = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    is_current = serializers.BooleanField()


class MeView(ResourceView):
    """The caller's profile in this organization."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=MEMBER, PATCH=MEMBER)
    versioned = True

    @cached_property
    def own(self) -> Membership:
        return selectors.own_membership(self.subject)

    def at_address(self) -> Membership:
        return self.own

    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        return self.answer(MeSerializer, self.own)

    @extend_schema(request=ProfileSerializer, responses=MeSerializer)
    def patch(self, request: Request) -> Response:
        changes = self.valid(ProfileSerializer)
        changed = members.update_profile(actor=self.subject, member_id=self.own.id, expected=self.expected, **changes)
        return self.answer(MeSerializer, changed)


class PasswordView(ResourceView):
    """Change the caller's password; all their sessions and tokens end."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(POST=MEMBER)

    @extend_schema(request=PasswordSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        passwords = self.valid(PasswordSerializer)
        user = selectors.find_person(self.subject.user_id)
        if user is None:
            raise MemberNotFound("An API key has no password.")
        count_attempt(request._request, PASSWORD, str(user.pk))  # nobody guesses it with a token they found
        people.change_password(
            user=user, old=passwords["old_password"], new=passwords["new_password"], actor=self.subject
        )
        return remember(request._request, Response(status=status.HTTP_204_NO_CONTENT), user)


class VerificationView(ResourceView):
    """Mail the caller a link that proves their address."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(POST=MEMBER)
    takes_nothing = True

    @extend_schema(request=None, responses={202: None})
    def post(self, request: Request) -> Response:
        user = selectors.find_person(self.subject.user_id)
        if user is None:
            raise MemberNotFound("An API key has no address.")
        count_attempt(request._request, VERIFICATION, user.email)  # it need not be theirs
        people.request_verification(user=user, actor=self.subject)
        return Response(status=status.HTTP_202_ACCEPTED)


class MembersView(ResourceView):
    """The organization's members."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=ORGANIZATION_READ)
    query = ListQuery(orderings=("-created_at", "created_at", "email"))
    queryset = Membership.objects.none()

    @extend_schema(responses=MemberSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(selectors.members_of(self.subject.tenant_id), MemberSerializer)


class MemberView(ResourceView):
    """One member."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(
        GET=ORGANIZATION_READ, PATCH=USERS_MANAGE, DELETE=USERS_MANAGE
    )
    finder = staticmethod(selectors.get_member)
    versioned = True

    @extend_schema(responses=MemberSerializer)
    def get(self, request: Request, member_id: UUID) -> Response:
        return self.answer(MemberSerializer, self.resource)

    @extend_schema(request=RoleNameSerializer, responses=MemberSerializer)
    def patch(self, request: Request, member_id: UUID) -> Response:
        role = named(self.valid(RoleNameSerializer)["role"], self.subject.tenant_id)
        member = members.change_role(actor=self.subject, member_id=member_id, role=role, expected=self.expected)
        return self.answer(MemberSerializer, member)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, member_id: UUID) -> Response:
        members.remove_member(actor=self.subject, member_id=member_id, expected=self.expected)
        return Response(status=status.HTTP_204_NO_CONTENT)


class OwnershipView(ResourceView):
    """Make a member the owner in the caller's place."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(POST=USERS_MANAGE)
    finder = staticmethod(selectors.get_member)
    versioned = True
    takes_nothing = True

    @extend_schema(request=None, responses=MemberSerializer)
    def post(self, request: Request, member_id: UUID) -> Response:
        heir = members.transfer_ownership(actor=self.subject, member_id=member_id, expected=self.expected)
        return self.answer(MemberSerializer, heir)


class LeaveView(ResourceView):
    """Leave the organization."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(POST=MEMBER)
    takes_nothing = True

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        selectors.own_membership(self.subject)
        members.leave(actor=self.subject)
        return Response(status=status.HTTP_204_NO_CONTENT)


class InvitationsView(ResourceView):
    """Open invitations."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=USERS_MANAGE, POST=USERS_MANAGE)
    queryset = Invitation.objects.none()

    @extend_schema(responses=InvitationSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(selectors.open_invitations(self.subject.tenant_id), InvitationSerializer)

    @extend_schema(request=InviteSerializer, responses={201: InvitationSerializer})
    def post(self, request: Request) -> Response:
        wanted = self.valid(InviteSerializer)
        count_mail(request._request, to=wanted["email"])
        role = named(wanted["role"], self.subject.tenant_id)
        invitation = invitations.invite(actor=self.subject, email=wanted["email"], role=role)
        return self.answer(InvitationSerializer, invitation, status=status.HTTP_201_CREATED)


class InvitationView(ResourceView):
    """One open invitation."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=USERS_MANAGE, DELETE=USERS_MANAGE)
    finder = staticmethod(selectors.get_invitation)

    @extend_schema(responses=InvitationSerializer)
    def get(self, request: Request, invitation_id: UUID) -> Response:
        return self.answer(InvitationSerializer, self.resource)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, invitation_id: UUID) -> Response:
        invitations.revoke(actor=self.subject, invitation_id=invitation_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ResendView(ResourceView):
    """Mail a new link; the one before stops working."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(POST=USERS_MANAGE)
    takes_nothing = True
    finder = staticmethod(selectors.get_invitation)

    @extend_schema(request=None, responses=InvitationSerializer)
    def post(self, request: Request, invitation_id: UUID) -> Response:
        count_mail(request._request, to=self.resource.email)
        return self.answer(InvitationSerializer, invitations.resend(actor=self.subject, invitation_id=invitation_id))


class AcceptView(ResourceView):
    """Become a member with an invitation's token, on the organization's host."""

    public_because = "the invitation's token is the proof"
    authentication_classes = ()

    @extend_schema(request=AcceptSerializer, responses={201: TokensSerializer})
    def post(self, request: Request) -> Response:
        content = self.valid(AcceptSerializer)
        if request._request.tenant is None:  # type: ignore[attr-defined]
            raise InvitationElsewhere
        count_attempt(request._request, ACCEPTANCE, content["token"])
        joined = invitations.accept(**content)
        (membership,) = selectors.memberships_of(joined.user, tenant_id=joined.tenant_id)
        response = Response(described(tokens.issue(membership)), status=status.HTTP_201_CREATED)
        return remember(request._request, response, membership.user)


class SessionsView(ResourceView):
    """Where the caller is signed in to this organization."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=MEMBER)

    @extend_schema(responses=SessionSerializer(many=True))
    def get(self, request: Request) -> Response:
        session_key = "" if self.subject.is_bearer else request._request.session.session_key or ""
        rows = selectors.sessions_of(self.subject, session_key)
        return Response({"results": SessionSerializer(rows, many=True).data})


class SessionView(ResourceView):
    """One of the caller's own sessions."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(DELETE=MEMBER)
    finder = staticmethod(selectors.find_session)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, session_id: UUID) -> Response:
        sessions.revoke_session(actor=self.subject, session_id=session_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PermissionsView(ResourceView):
    """Every permission there is, for those who make roles and keys."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=ORGANIZATION_READ)

    @extend_schema(responses={200: {"type": "object", "additionalProperties": {"type": "string"}}})
    def get(self, request: Request) -> Response:
        return Response(DESCRIPTIONS)
