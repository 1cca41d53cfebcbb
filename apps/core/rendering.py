"""JSON for the API, and rows that need no serializer to become it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.utils.encoders import JSONEncoder

from .api_fields import AddressField, LinesField, NameField

# Fields whose representation is the column's value as JSON has it.
PLAIN = (
    AddressField,
    LinesField,
    NameField,
    serializers.BigIntegerField,
    serializers.BooleanField,
    serializers.CharField,
    serializers.ChoiceField,
    serializers.DateField,
    serializers.DateTimeField,
    serializers.DictField,
    serializers.EmailField,
    serializers.IntegerField,
    serializers.JSONField,
    serializers.ListField,
    serializers.ReadOnlyField,
    serializers.RegexField,
    serializers.UUIDField,
)
OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
_encoder = JSONEncoder()


class FastJSONRenderer(JSONRenderer):
    """What REST framework's renderer writes, byte for byte, several times faster where it can."""

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        try:
            return b"" if data is None else orjson.dumps(data, default=_encoder.default, option=OPTIONS)
        except orjson.JSONEncodeError:  # a whole number of more than 64 bits, of which JSON has no fear
            return super().render(data, accepted_media_type, renderer_context)  # type: ignore[no-any-return]


def written_as(media_type: str) -> FastJSONRenderer:
    """Stands for what a view writes itself while it is negotiated; what it renders is a refusal, which is JSON."""
    renderer = FastJSONRenderer()
    renderer.media_type = media_type
    return renderer


@lru_cache(maxsize=128)
def plain_columns(serializer_class: Any) -> tuple[str, ...] | None:
    """The columns of a model serializer that only repeats columns, in its order; None if it does more.

    Such rows can be read with ``values()`` and rendered as they are, which saves a model instance and a walk over
    the fields for each.
    """
    model = getattr(getattr(serializer_class, "Meta", None), "model", None)
    if model is None or serializer_class.to_representation is not serializers.ModelSerializer.to_representation:
        return None
    fields = {name: field for name, field in serializer_class().fields.items() if not field.write_only}
    if all(_repeats_column(model, name, field) for name, field in fields.items()):
        return tuple(fields)
    return None


def _repeats_column(model: Any, name: str, field: Any) -> bool:
    if type(field) not in PLAIN or field.source != name:
        return False
    return name in {column.attname for column in model._meta.concrete_fields}
