from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException, ErrorDetail, ParseError, ValidationError
from rest_framework.parsers import JSONParser
from rest_framework.utils.json import strict_constant

MAX_VALUES = 50_000  # many small values take a thread far longer than one long text
TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)  # one without an end goes to the end


REPEATED_MEMBER = ErrorDetail("This member can be given once.", code="repeated_member")


class ContentTooLarge(APIException):
    status_code = 413
    default_code = "content_too_large"
    default_detail = "The request is larger than is read."


class BoundedJSONParser(JSONParser):
    """JSON, no longer than DATA_UPLOAD_MAX_MEMORY_SIZE, of up to MAX_VALUES, no deeper than Python can follow.

    A member that is given twice is refused: which of the two counts is anybody's guess (RFC 8259, section 4).
    """

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        content = stream.read(limit + 1)
        if len(content) > limit or _values_in(content) > MAX_VALUES:
            raise ContentTooLarge
        repeating: list[_Repeating] = []
        try:
            parsed = _parsed(content, repeating)
            json.dumps(parsed, ensure_ascii=False, allow_nan=False).encode()
            faults = _repeated_in(parsed) if repeating else None
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
        except UnicodeEncodeError as error:
            raise ParseError("The JSON has half a surrogate pair in it, which is no character.") from error
        except ValueError as error:
            raise ParseError("The JSON has a number in it that is too large.") from error
        if faults:
            raise ValidationError(faults)
        return parsed


class _Repeating(dict[str, Any]):
    """An object in which some members were given more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        given = Counter(name for name, _ in pairs)
        self.repeated = [name for name, times in given.items() if times > 1]


def _parsed(content: bytes, repeating: list[_Repeating]) -> Any:
    try:
        members = partial(_members, repeating)
        return json.loads(content.decode(), parse_constant=strict_constant, object_pairs_hook=members)
    except ValueError as error:
        raise ParseError(f"JSON parse error - {error}") from error


def _members(repeating: list[_Repeating], pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    repeating.append(_Repeating(pairs))
    return repeating[-1]


def _repeated_in(value: Any) -> Any:
    """Every member that was given more than once, however deep, by name."""
    if isinstance(value, list):
        return {str(number): found for number, item in enumerate(value) if (found := _repeated_in(item))}
    if not isinstance(value, dict):
        return None
    inside = {name: found for name, item in value.items() if (found := _repeated_in(item))}
    return {**inside, **{name: [REPEATED_MEMBER] for name in getattr(value, "repeated", ())}}


def _values_in(content: bytes) -> int:
    """How many values a document has, at most; what stands in texts is counted only where it could matter."""
    values = _marks_in(content)
    return values if values <= MAX_VALUES else _marks_in(TEXT.sub(b"", content))


def _marks_in(content: bytes) -> int:
    return sum(content.count(mark) for mark in (b",", b"[", b"{"))
