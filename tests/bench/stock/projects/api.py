from __future__ import annotations

from django.db.models import QuerySet
from rest_framework import generics, serializers
from rest_framework.pagination import CursorPagination

from .models import Project


class Pagination(CursorPagination):
    """Pages like our own, which spare the COUNT of page numbers."""

    ordering = ("-created_at", "-id")
    page_size = 20


class ProjectSerializer(serializers.ModelSerializer):
    class Meta:
        model = Project
        fields = ("id", "name", "description", "created_at", "updated_at")
        read_only_fields = ("id", "created_at", "updated_at")


class ProjectsView(generics.ListCreateAPIView):
    serializer_class = ProjectSerializer
    pagination_class = Pagination

    def get_queryset(self) -> QuerySet[Project]:
        return Project.objects.all()

    def perform_create(self, serializer: serializers.BaseSerializer[Project]) -> None:
        serializer.save(created_by_id=None)
