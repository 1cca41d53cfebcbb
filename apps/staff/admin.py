"""Organizations, their people and placements as staff sees them: to read, and to act on through services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from django import forms
from django.contrib import messages
from django.contrib.admin import SimpleListFilter, register
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.template.defaultfilters import date
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.text import Truncator
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from apps.accounts.models import Membership, SupportVisit, User
from apps.accounts.services import visits
from apps.audit.models import ControlEvent
from apps.core.errors import DomainError
from apps.core.forms import status_of
from apps.core.middleware import content_security_policy
from apps.tenants.links import link
from apps.tenants.models import Domain, Placement, Pool, Tenant
from apps.tenants.selectors import primary_domain
from apps.tenants.services import lifecycle, provisioning

from .access import EXCEPTIONS, is_superuser
from .forms import HoldForm, NothingToSay, VisitForm
from .services import staff_actor
from .site import site

TONES = {"ready": "success", "provisioning": "warning", "held": "danger", "deactivated": "info", "erased": "info"}


def superusers(model_admin: Any, request: HttpRequest, obj: Any = None) -> bool:
    return is_superuser(request)


def nobody(model_admin: Any, request: HttpRequest, obj: Any = None) -> bool:
    return False


def refuse(*args: Any, **kwargs: Any) -> NoReturn:
    raise NotImplementedError("Services write, and record what they did in the audit log.")


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]
    """Rows that are about organizations and people: read by superusers, written by nobody."""

    actions = None
    empty_value_display = "–"
    compressed_fields = True
    list_fullwidth = True
    list_per_page = 50

    has_view_permission = has_module_permission = superusers
    has_add_permission = has_change_permission = has_delete_permission = nobody
    save_model = delete_model = delete_queryset = log_addition = log_change = log_deletions = refuse

    def get_urls(self) -> list[URLPattern]:
        return [p for p in super().get_urls() if not str(p.name).endswith(("_add", "_delete"))]

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """What was recorded about the row."""
        return redirect(f"{reverse('admin:audit_controlevent_changelist')}?{urlencode({'q': object_id})}")


class ReadOnlyInline(TabularInline):  # type: ignore[misc]
    has_view_permission = superusers
    has_add_permission = has_change_permission = has_delete_permission = nobody
    extra = 0
    hide_title = True
    tab = True


def moment(field: str, title: str) -> Any:
    """A column with a point in time, short enough for a row."""

    @display(description=title, ordering=field)
    def shown(row: Any) -> str | None:
        return date(getattr(row, field), "j M Y, H:i") or None

    return shown


CREATED = moment("created_at", "Created (UTC)")


class HeldFilter(SimpleListFilter):
    title, parameter_name = "hold", "held"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Held"), ("no", "Not held")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> QuerySet[Tenant]:
        return queryset.filter(held_at__isnull=self.value() == "no") if self.value() else queryset


# -- tenants -----------------------------------------------------------------------------------------------


class DomainInline(ReadOnlyInline):
    model = Domain
    fields = ("domain", "is_primary")


class MembershipInline(ReadOnlyInline):
    model = Membership
    fields = ("email", "name", "role", "created_at")
    readonly_fields = ("created_at",)
    ordering = ("created_at", "id")
    per_page = 20


@dataclass(frozen=True)
class Act:
    """Something that is done to an organization once it is confirmed.

    With ``goes_there`` staff is then led to the organization's own host, to the path that ``perform`` returns.
    """

    title: str
    explained: str
    done: str
    perform: Callable[[Tenant, User, dict[str, Any]], Any]
    form: type[forms.Form] = NothingToSay
    variant: str = "primary"
    goes_there: bool = False


HOLD = Act(
    "Hold",
    "Nobody can sign in to a held organization or open its pages; its data stays.",
    "is on hold.",
    lambda tenant, user, words: lifecycle.hold(slug=tenant.slug, actor=staff_actor(user), **words),
    HoldForm,
    "danger",
)
RELEASE = Act(
    "Release",
    "Its members can sign in again at once.",
    "is released.",
    lambda tenant, user, words: lifecycle.release(slug=tenant.slug, actor=staff_actor(user)),
)
RESUME = Act(
    "Resume provisioning",
    "The provisioner is asked once more to build what the organization waits for.",
    "is being provisioned.",
    lambda tenant, user, words: provisioning.request_finish(tenant_id=tenant.id, actor=staff_actor(user)),
)
ENTER = Act(
    "Enter",
    "You look into the organization, in this window, for an hour at most. "
    "You see what a viewer sees and the audit log; you change nothing.",
    "",
    lambda tenant, user, words: f"/staff-visit/?code={visits.grant(tenant_id=tenant.id, user_id=user.pk, **words)}",
    VisitForm,
    goes_there=True,
)


@register(Tenant, site=site)
class TenantAdmin(ReadOnlyAdmin):
    list_display = ("name", "slug", "state", "kind", "location", CREATED)
    list_filter = ("status", HeldFilter, "requested_placement")
    search_fields = ("name", "slug")
    search_help_text = "Name or address"
    ordering = ("-created_at",)
    fieldsets = (
        (None, {"fields": (("name", "slug"), ("state", "id"), ("created_at", "ready_at"))}),
        ("Placement", {"fields": (("kind", "alias"), ("location", "schema_name"))}),
        ("Hold", {"fields": (("held_at", "hold_reason"),)}),
    )
    readonly_fields = ("id", "state", "kind", "location", "alias", "created_at")
    inlines = (MembershipInline, DomainInline)
    actions_detail = ("enter", "hold", "release", "resume")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        return Tenant.objects.with_placement()

    @display(description="Status", ordering="status", label=TONES)
    def state(self, tenant: Tenant) -> str:
        return "held" if tenant.is_held else str(tenant.status)

    @display(description="Placement", ordering="requested_placement")
    def kind(self, tenant: Tenant) -> str:
        return tenant.requested_placement

    @display(description="Schema")
    def location(self, tenant: Tenant) -> str:
        placement = getattr(tenant, "placement", None)
        return placement.schema if placement else "–"

    @display(description="Database")
    def alias(self, tenant: Tenant) -> str:
        placement = getattr(tenant, "placement", None)
        return placement.alias if placement else "–"

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only what the organization's status allows."""
        tenant = self.get_object(request, str(object_id))
        possible = {"resume"} if tenant and tenant.status == Tenant.Status.PROVISIONING else set()
        if tenant and tenant.is_open:
            possible.add("enter")
        if tenant and tenant.status in (Tenant.Status.READY, Tenant.Status.DEACTIVATED):
            possible.add("release" if tenant.is_held else "hold")
        found = super().get_actions_detail(request, object_id)
        return [one for one in found if one.action_name.removeprefix("tenants_tenant_") in possible]

    @action(description="Enter", url_path="enter", icon="visibility", permissions=["view"])
    def enter(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._confirmed(request, object_id, ENTER)

    @action(description="Hold", url_path="hold", icon="block", variant=ActionVariant.DANGER, permissions=["view"])
    def hold(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._confirmed(request, object_id, HOLD)

    @action(description="Release", url_path="release", icon="lock_open", permissions=["view"])
    def release(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._confirmed(request, object_id, RELEASE)

    @action(description="Resume provisioning", url_path="resume", icon="play_arrow", permissions=["view"])
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._confirmed(request, object_id, RESUME)

    def _confirmed(self, request: HttpRequest, object_id: str, act: Act) -> HttpResponse:
        """Ask, and do it once the answer is in."""
        tenant = self.get_object(request, object_id)
        if tenant is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        form = act.form(request.POST if request.method == "POST" else None)
        user: Any = request.user
        if form.is_valid():
            try:
                done = act.perform(tenant, user, form.cleaned_data)
                if act.goes_there:
                    return HttpResponseRedirect(link(primary_domain(tenant.id).domain, done))
                messages.success(request, f"{tenant.name} {act.done}")
                return redirect("admin:tenants_tenant_change", tenant.pk)
            except DomainError as error:
                form.add_error(error.field if error.field in form.fields else None, error.message)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{act.title}: {tenant.name}",
            "tenant_shown": tenant,
            "act": act,
            "form": form,
        }
        response = render(request, "staff/confirm.html", context, status=status_of(form))
        if act.goes_there:  # browsers follow a form's redirect only to where its page says
            host = link(primary_domain(tenant.id).domain, path="")
            response["Content-Security-Policy"] = content_security_policy(form_targets=host, exceptions=EXCEPTIONS)
        return response


@register(Domain, site=site)
class DomainAdmin(ReadOnlyAdmin):
    list_display = ("domain", "tenant", "is_primary")
    list_filter = ("is_primary",)
    list_select_related = ("tenant",)
    search_fields = ("domain", "tenant__name")
    fields = ("domain", "tenant", "is_primary")


# -- people ------------------------------------------------------------------------------------------------------


@register(Membership, site=site)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ("email", "name", "tenant", "role_shown", CREATED)
    list_filter = ("role",)
    list_select_related = ("tenant", "custom_role")
    search_fields = ("email", "name", "tenant__name")
    ordering = ("-created_at",)
    fields = (
        ("email", "name"),
        ("tenant", "user"),
        "role_shown",
        ("locale", "time_zone"),
        ("created_at", "updated_at"),
    )
    readonly_fields = ("role_shown", "created_at", "updated_at")

    @display(description="Role", ordering="role", label=True)
    def role_shown(self, membership: Membership) -> str:
        return membership.role_name


class OwnMembershipInline(ReadOnlyInline):
    model = Membership
    fields = ("tenant", "role", "created_at")
    readonly_fields = ("created_at",)


@register(User, site=site)
class UserAdmin(ReadOnlyAdmin):
    list_display = ("email", "is_active", "rights", moment("last_login", "Last sign-in (UTC)"), CREATED)
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email",)
    ordering = ("-created_at",)
    fields = (("email", "is_active"), ("rights", "id"), ("last_login", "created_at"))
    readonly_fields = ("id", "rights", "created_at")
    inlines = (OwnMembershipInline,)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Nobody finds a password's hash out by asking what it begins with."""
        return not lookup.startswith("password") and bool(super().lookup_allowed(lookup, value, request))

    @display(description="On the platform", ordering="is_staff", label={"superuser": "warning", "staff": "info"})
    def rights(self, user: User) -> str | None:
        if not user.is_staff:
            return None
        return "superuser" if user.is_superuser else "staff"


@register(SupportVisit, site=site)
class SupportVisitAdmin(ReadOnlyAdmin):
    list_display = ("tenant", "user", "reason", moment("started_at", "Started (UTC)"), "over")
    list_select_related = ("tenant", "user")
    search_fields = ("tenant__name", "user__email", "reason")
    ordering = ("-created_at",)
    fields = (("tenant", "user"), "reason", ("created_at", "started_at"), ("expires_at", "ended_at"))

    @display(description="Over (UTC)")
    def over(self, visit: SupportVisit) -> str:
        """When it ended, or will at the latest."""
        return date(visit.ended_at or visit.expires_at, "j M Y, H:i")


# -- placements ------------------------------------------------------------------------------------------------------


@register(Placement, site=site)
class PlacementAdmin(ReadOnlyAdmin):
    list_display = (
        "schema",
        "kind",
        "state",
        "tenant_or_none",
        "database",
        "built",
        moment("claimed_at", "Claimed (UTC)"),
    )
    list_filter = ("kind", "state", "built")
    list_select_related = ("tenant", "database")
    search_fields = ("schema", "tenant__name", "tenant__slug")
    ordering = ("-created_at",)
    fields = (("schema", "kind", "state"), ("tenant", "pool"), "database", "built", ("created_at", "claimed_at"))
    readonly_fields = ("created_at",)

    @display(description="Organization", ordering="tenant__name")
    def tenant_or_none(self, placement: Placement) -> str:
        return str(placement.tenant or "–")


@register(Pool, site=site)
class PoolAdmin(ReadOnlyAdmin):
    list_display = ("schema", "number", "fill", "tenant_count", "capacity", "built", "is_open")
    list_filter = ("built", "is_open")
    ordering = ("number",)
    fields = (("schema", "number"), ("tenant_count", "capacity"), "fill", ("built", "is_open"))
    readonly_fields = ("fill",)

    @display(description="Fill")
    def fill(self, pool: Pool) -> str:
        percent = round(100 * pool.tenant_count / pool.capacity) if pool.capacity else 100
        return format_html(
            '<span class="fill"><progress max="100" value="{}" aria-label="Fill"></progress>{}%</span>',
            percent,
            percent,
        )


# -- what happened -----------------------------------------------------------------------------------------------


@register(ControlEvent, site=site)
class ControlEventAdmin(ReadOnlyAdmin):
    show_full_result_count = False
    list_display = (moment("occurred_at", "When (UTC)"), "action", "tenant", "actor_start", "resource_type", "actor_ip")
    list_filter = ("actor_type", "resource_type")
    list_select_related = ("tenant",)
    search_fields = ("=action", "=resource_id", "=actor_id", "tenant__name")
    search_help_text = "Action, id of a thing or an actor, or an organization's name"
    ordering = ("-occurred_at", "-id")
    fields = (
        ("occurred_at", "action"),
        ("tenant", "actor"),
        ("resource_type", "resource_id"),
        "actor_ip",
        "changes",
        "metadata",
    )
    readonly_fields = ("occurred_at", "actor")

    @display(description="By", ordering="actor_type")
    def actor_start(self, event: ControlEvent) -> str:
        """The type and as much of the id as tells people apart in a row."""
        return Truncator(f"{event.actor_type} {event.actor_id}".strip()).chars(24)

    @display(description="By")
    def actor(self, event: ControlEvent) -> str:
        return f"{event.actor_type} {event.actor_id}".strip()
