"""Writes to projects, in the tenant's context."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any

from django.db import IntegrityError

from apps.access.decisions import check
from apps.access.permissions import PROJECTS_READ, PROJECTS_SHARE
from apps.access.subjects import Subject
from apps.accounts.services import sharing
from apps.audit import services as audit
from apps.audit.services import difference, state
from apps.core.preconditions import check_unchanged
from apps.core.text import words
from apps.tenancy.replicas.positions import show_everybody
from apps.tenancy.transactions import atomic

from ..errors import InvalidCustomField, ProjectNameTaken, ProjectNotFound
from ..models import DOCUMENT, PROJECT, Document, Project, SearchTerm
from . import custom_fields

FIELDS = ("name", "description", "is_private", "custom_fields")
INDEXED = frozenset({"name", "description"})
MAX_TERMS = 200


def create_project(
    *,
    actor: Subject,
    name: str,
    description: str = "",
    is_private: bool = False,
    values: Mapping[str, Any] | None = None,
) -> Project:
    """A project that its creator owns. Raises MissingPermission, ProjectNameTaken, InvalidCustomField."""
    checked = custom_fields.validated(values or {})
    try:
        with atomic():
            project = Project(
                name=name,
                description=description,
                is_private=is_private,
                custom_fields=checked,
                created_by_id=actor.user_id,
            )
            _check_may_name(actor, project, {"name"})
            project.save(force_insert=True)
            _index(project, INDEXED)
            sharing.own(actor=actor, resource=project)
            if is_private and actor.user_id is None:
                check(actor, PROJECTS_SHARE)  # a program owns nothing
            changes = difference({}, state(project, *FIELDS))
            audit.record("project.created", actor=actor, resource=project, changes=changes)
    except IntegrityError as error:
        raise ProjectNameTaken(field="name") from error
    return project


def create_projects(*, actor: Subject, items: Sequence[Mapping[str, Any]]) -> list[Project]:
    """All of them or none.

    Raises MissingPermission, and ProjectNameTaken and InvalidCustomField, which name the item by its number.
    """
    created = []
    with atomic():
        for number, item in enumerate(items):
            try:
                created.append(create_project(actor=actor, **item))
            except (ProjectNameTaken, InvalidCustomField) as error:
                error.field = f"items.{number}.{error.field}"
                raise
    return created


def update_project(*, actor: Subject, project: Project, expected: str = "", **changes: Any) -> Project:
    """Change what is named among the changes. Who sees it is changed only by those who may share it.

    Raises MissingPermission, ProjectNameTaken, PreconditionFailed, InvalidCustomField, and ProjectNotFound if it was
    deleted meanwhile.
    """
    try:
        with atomic():
            locked = Project.objects.select_for_update().filter(id=project.id).first()
            if locked is None:
                raise ProjectNotFound
            check_unchanged(locked, expected)
            before = state(locked, *FIELDS)
            if "values" in changes:
                values = changes.pop("values")
                changes["custom_fields"] = custom_fields.validated(values, kept=locked.custom_fields)
            if changes.get("is_private", locked.is_private) != locked.is_private:
                _check_may_change_sight(actor, locked)
            for name, value in changes.items():
                setattr(locked, name, value)
            changed = difference(before, state(locked, *FIELDS))
            _check_may_name(actor, locked, changed)
            if changed:
                locked.save(update_fields=[*changed, "updated_at"])
                _index(locked, changed)
                audit.record("project.updated", actor=actor, resource=locked, changes=changed)
                if "is_private" in changed:
                    _change_sight(actor, locked)
            return locked
    except IntegrityError as error:
        raise ProjectNameTaken(field="name") from error


def delete_project(*, actor: Subject, project: Project, expected: str = "") -> None:
    """Delete a project with its documents; the files go once that is committed.

    Raises ProjectNotFound, PreconditionFailed.
    """
    with atomic():
        locked = (
            Project.objects.select_for_update().filter(id=project.id).first()
        )  # nobody adds a document from here on
        if locked is None:
            raise ProjectNotFound
        check_unchanged(locked, expected)
        documents = list(Document.objects.filter(project=project).values_list("id", "file"))
        sharing.forget([(PROJECT, project.id), *((DOCUMENT, document_id) for document_id, _ in documents)])
        audit.record("project.deleted", actor=actor, resource=project, changes={"name": [locked.name, None]})
        Project.objects.filter(id=project.id).delete()
    for _, name in documents:
        Document._meta.get_field("file").storage.delete(name)


def _check_may_name(actor: Subject, project: Project, changed: Iterable[str]) -> None:
    """That a public name is taken is told only to those who see all that have one. Raises MissingPermission."""
    if not project.is_private and {"name", "is_private"} & set(changed):
        check(actor, PROJECTS_READ)


def _check_may_change_sight(actor: Subject, project: Project) -> None:
    """Showing and hiding are sharing; and nobody hides a thing from themselves. Raises MissingPermission."""
    check(actor, PROJECTS_SHARE, project)
    if actor.user_id is not None and not project.is_private:
        hidden = copy(project)
        hidden.is_private = True
        check(actor, PROJECTS_SHARE, hidden)


def _change_sight(actor: Subject, project: Project) -> None:
    show_everybody()
    if project.is_private:
        sharing.withdraw_made(actor=actor, resource=project)


def _index(project: Project, changed: Iterable[str]) -> None:
    """Keep the words of a project for the search."""
    if INDEXED.isdisjoint(changed):
        return
    wanted = set(words(f"{project.name} {project.description}")[:MAX_TERMS])
    known = set(SearchTerm.objects.filter(project=project).values_list("term", flat=True))
    if known - wanted:
        SearchTerm.objects.filter(project=project, term__in=known - wanted).delete()
    if wanted - known:
        SearchTerm.objects.bulk_create(SearchTerm(project=project, term=term) for term in sorted(wanted - known))
