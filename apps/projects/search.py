from __future__ import annotations

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.access.search import HITS, SearchHit, searchable
from apps.access.subjects import Subject

from . import selectors
from .models import Document
from .selectors import documents_for, projects_for


@searchable(gettext_lazy("Projects"))
def projects(subject: Subject, text: str) -> list[SearchHit]:
    rows = selectors.search(projects_for(subject), text)[:HITS]
    return [SearchHit(p.name, _("Project"), "folder", reverse("projects:detail", args=[p.id])) for p in rows]


@searchable(gettext_lazy("Documents"))
def documents(subject: Subject, text: str) -> list[SearchHit]:
    """Each leads to its project, and names it, where the subject sees that; else to the file alone."""
    rows = list(documents_for(subject).filter(name__icontains=text)[:HITS])
    seen = set(projects_for(subject).filter(id__in=[d.project_id for d in rows]).values_list("id", flat=True))
    return [_of_project(document) if document.project_id in seen else _alone(document) for document in rows]


def _of_project(document: Document) -> SearchHit:
    detail = _("in %(project)s") % {"project": document.project.name}
    return SearchHit(document.name, detail, "file", reverse("projects:detail", args=[document.project_id]))


def _alone(document: Document) -> SearchHit:
    page = reverse("projects:document-link", args=[document.project_id, document.id])
    return SearchHit(document.name, "", "file", page)
