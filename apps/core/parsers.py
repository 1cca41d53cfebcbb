from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

MAX_VALUES = 50_000  # many small values take a thread far longer than one long text
TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)  # one without an end goes to the end


class ContentTooLarge(APIException):
    status_code = 413
    default_code = "content_too_large"
    default_detail = "The request is larger than is read."


class BoundedJSONParser(JSONParser):
    """JSON, no longer than DATA_UPLOAD_MAX_MEMORY_SIZE, of up to MAX_VALUES, no deeper than Python can follow."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        content = stream.read(limit + 1)
        if len(content) > limit or _values_in(content) > MAX_VALUES:
            raise ContentTooLarge
        try:
            parsed = super().parse(io.BytesIO(content), media_type, parser_context)
            json.dumps(parsed, ensure_ascii=False, allow_nan=False).encode()
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
        except UnicodeEncodeError as error:
            raise ParseError("The JSON has half a surrogate pair in it, which is no character.") from error
        except ValueError as error:
            raise ParseError("The JSON has a number in it that is too large.") from error
        return parsed


def _values_in(content: bytes) -> int:
    """How many values a document has, at most; what stands in texts is counted only where it could matter."""
    values = _marks_in(content)
    return values if values <= MAX_VALUES else _marks_in(TEXT.sub(b"", content))


def _marks_in(content: bytes) -> int:
    return sum(content.count(mark) for mark in (b",", b"[", b"{"))
