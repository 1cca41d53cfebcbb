from django.urls import path

from .api import audit, settings

urlpatterns = [
    path("users/org", settings.OrganizationView.as_view(), name="api-organization"),
    path("audit/events", audit.AuditEventsView.as_view(), name="api-audit-events"),
    path("audit/export", audit.AuditExportView.as_view(), name="api-audit-export"),
    path("settings", settings.SettingsView.as_view(), name="api-settings"),
    path("settings/logo", settings.LogoView.as_view(), name="api-logo"),
]
