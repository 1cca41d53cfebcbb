"""Digests of what is asked, by which a request is known again."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict
from rest_framework.request import Request

PRECONDITIONS = ("If-Match", "If-None-Match")


def of_call(request: Request) -> str:
    """Of a call of the API: method, address, preconditions, content; of a file its name and kind, too."""
    content = sorted(request.data.lists()) if isinstance(request.data, MultiValueDict) else request.data
    conditions = [request.headers.get(name) for name in PRECONDITIONS]
    return _digest(request.method, request.get_full_path(), conditions, content)


def of_form(request: HttpRequest) -> str:
    """Of a form that was sent from a page: another rendering of the page has another CSRF token in it."""
    return _digest(request.method, request.get_full_path(), sorted(request.POST.lists()), sorted(request.FILES.lists()))


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if not isinstance(value, UploadedFile):
        return str(value)
    content = hashlib.sha256()
    for chunk in value.chunks():
        content.update(chunk)
    value.seek(0)
    return [value.name, value.content_type, content.hexdigest()]
