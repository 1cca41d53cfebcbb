"""The API of projects."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import generics, serializers

from apps.accounts.permissions import PROJECTS_READ, PROJECTS_WRITE

from . import selectors, services
from .models import Project


class ProjectSerializer(serializers.ModelSerializer):
    class Meta:
        model = Project
        fields = ("id", "name", "description", "created_at", "updated_at")
        read_only_fields = ("id", "created_at", "updated_at")
        validators: ClassVar[list[Any]] = []  # uniqueness is the database's to say

    def create(self, validated_data: dict[str, Any]) -> Project:
        return services.create_project(actor=self.context["request"].user, **validated_data)


class ProjectsView(generics.ListCreateAPIView):
    """List an organization's projects, newest first; create one."""

    permissions_by_method: ClassVar[dict[str, str]] = {
        "GET": PROJECTS_READ,
        "HEAD": PROJECTS_READ,
        "OPTIONS": PROJECTS_READ,
        "POST": PROJECTS_WRITE,
    }
    serializer_class = ProjectSerializer

    def get_queryset(self) -> QuerySet[Project]:
        return selectors.projects_for(self.request.user)  # type: ignore[arg-type]
