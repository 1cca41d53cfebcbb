"""What the head of a request must be like, as nothing that it says is passed over in silence."""

from __future__ import annotations

from granian.rsgi import Headers as GivenHeaders
from granian.rsgi import Scope

from .refusals import CODED, COOKIE_NOT_ASCII, NO_HOST, NOT_ASCII, TRANSFER_CODED, Refused


def check_head(scope: Scope) -> None:
    """Raises Refused."""
    headers = scope.headers
    _check_characters(headers)
    hosts = len(_lines(headers, "host"))
    if hosts > 1 or (not hosts and scope.http_version != "1"):  # RFC 9112, section 3.2; HTTP/1.0 knows none
        raise Refused(NO_HOST)
    if _codings(headers, "transfer-encoding") - {"chunked"}:
        raise Refused(TRANSFER_CODED)
    if _codings(headers, "content-encoding") - {"identity"}:
        raise Refused(CODED)


def _check_characters(headers: GivenHeaders) -> None:
    """Granian names a header whose value is not ASCII, but does not give the value, not even as bytes.

    It tells so of the first line of each name only. A further one is lost; who wrote it sent a clean one before.
    """
    lost = {name for name in headers.keys() if headers.get(name) is None}  # noqa: SIM118 - it is no mapping
    if lost == {"cookie"}:
        raise Refused(COOKIE_NOT_ASCII)
    if lost:
        raise Refused(NOT_ASCII)


def _codings(headers: GivenHeaders, name: str) -> set[str]:
    if name not in headers:
        return set()
    return {coding.strip().lower() for line in _lines(headers, name) for coding in line.split(",")} - {""}


def _lines(headers: GivenHeaders, name: str) -> list[str]:
    return [value for given, value in headers.items() if given == name]
