"""The serializer of rows: REST framework's, which asks the model what its fields look like once for each class.

It has no description of its own, which would become that of each serializer made of it.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any, TypeVar

from django.db import models
from rest_framework import serializers

Row = TypeVar("Row", bound=models.Model)


class ModelSerializer(serializers.ModelSerializer[Row]):
    def get_fields(self) -> dict[str, Any]:
        return deepcopy(_fields_of(type(self)))


@cache
def _fields_of(serializer_class: type[ModelSerializer[Any]]) -> dict[str, Any]:
    return super(ModelSerializer, serializer_class()).get_fields()
