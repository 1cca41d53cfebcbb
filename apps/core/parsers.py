from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser


class ContentTooLarge(APIException):
    status_code = 413
    default_code = "content_too_large"
    default_detail = "The request is larger than is read."


class BoundedJSONParser(JSONParser):
    """JSON, no longer than DATA_UPLOAD_MAX_MEMORY_SIZE and nested no deeper than Python can follow."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        content = stream.read(limit + 1)
        if len(content) > limit:
            raise ContentTooLarge
        try:
            parsed = super().parse(io.BytesIO(content), media_type, parser_context)
            json.dumps(parsed, ensure_ascii=False).encode()
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
        except UnicodeEncodeError as error:
            raise ParseError("The JSON has half a surrogate pair in it, which is no character.") from error
        return parsed
