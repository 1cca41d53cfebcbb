from __future__ import annotations

from apps.core.errors import DomainError, NotFoundError


class ProjectNameTaken(DomainError):
    code = "project_name_taken"
    message = "There already is a project with this name."


class ProjectNotFound(NotFoundError):
    code = "project_not_found"
    message = "There is no such project."


class DocumentNotFound(NotFoundError):
    code = "document_not_found"
    message = "There is no such document."


class DocumentTooLarge(DomainError):
    status = 413
    code = "document_too_large"


class DownloadRefused(DomainError):
    status = 403
    code = "download_refused"
    message = "This download link has expired or is not yours. Open the project and try again."


class CustomFieldExists(DomainError):
    code = "custom_field_exists"
    message = "There already is a custom field with this key."


class InvalidCustomField(DomainError):
    status = 400
    code = "invalid_custom_field"


class CustomFieldNotFound(NotFoundError):
    code = "custom_field_not_found"
    message = "There is no such custom field."
