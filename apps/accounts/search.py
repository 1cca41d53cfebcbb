from __future__ import annotations

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from apps.access.search import HITS, SearchHit, searchable
from apps.access.subjects import Subject

from .selectors import search_members


@searchable(_("Members"))
def members(subject: Subject, text: str) -> list[SearchHit]:
    page, rows = reverse("members"), search_members(subject.tenant_id, text)[:HITS]
    return [SearchHit(m.display_name, m.email, "user", f"{page}?{urlencode({'q': m.email})}") for m in rows]
