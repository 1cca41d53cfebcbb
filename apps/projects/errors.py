from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.errors import DomainError, NotFoundError


class ProjectNameTaken(DomainError):
    code = "project_name_taken"
    message = _("There already is a project with this name.")


class ProjectNotFound(NotFoundError):
    code = "project_not_found"
    message = _("There is no such project.")


class DocumentNotFound(NotFoundError):
    code = "document_not_found"
    message = _("There is no such document.")


class DocumentTooLarge(DomainError):
    status = 413
    code = "document_too_large"


class DownloadRefused(DomainError):
    status = 403
    code = "download_refused"
    message = _("This download link has expired or is not yours. Open the project and try again.")


class CustomFieldExists(DomainError):
    code = "custom_field_exists"
    message = _("There already is a custom field with this key.")


class InvalidCustomField(DomainError):
    status = 400
    code = "invalid_custom_field"


class CustomFieldNotFound(NotFoundError):
    code = "custom_field_not_found"
    message = _("There is no such custom field.")
