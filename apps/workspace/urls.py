from django.urls import path

from .views import appearance, audit, overview, search, settings

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("search/", search.search, name="search"),
    path("theme/", appearance.theme, name="theme"),
    path("audit/", audit.audit_log, name="audit-log"),
    path("audit/ended/", audit.ended_accesses, name="ended-accesses"),
    path("audit/people/", audit.suggest_people, name="audit-people"),
    path("audit/verification/", audit.verify_chain, name="verify-chain"),
    path("settings/", settings.organization_settings, name="settings"),
    path("settings/logo/", settings.upload_logo, name="logo-upload"),
    path("settings/logo/remove/", settings.remove_logo, name="logo-remove"),
    path("settings/danger/", settings.danger_zone, name="danger-zone"),
    path("brand/logo", settings.logo, name="brand-logo"),
    path("brand/logo/<str:token>/", settings.mailed_logo, name="mailed-logo"),
    path("brand.css", settings.brand_stylesheet, name="brand-css"),
]
