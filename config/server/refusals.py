"""What the server answers by itself, without a thread."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from apps.core.http import API_PREFIX
from apps.core.problems import PROBLEM_JSON, problem

from .messages import Answer, Headers

NOSNIFF = ("x-content-type-options", "nosniff")


@dataclass(frozen=True)
class Refusal:
    status: int
    code: str
    detail: str
    retry_after: int = 0
    """Seconds, if trying again may help."""
    headers: tuple[tuple[str, str], ...] = ()

    def answer(self, path: str) -> Answer:
        """A problem for clients of the API, a line for everybody else."""
        headers: Headers = [("cache-control", "no-store"), NOSNIFF, *self.headers]
        if self.retry_after:
            headers.append(("retry-after", str(self.retry_after)))
        if path.startswith(API_PREFIX):
            content = json.dumps(problem(self.status, self.code, self.detail)).encode()
            return Answer(self.status, [*headers, ("content-type", PROBLEM_JSON)], content)
        return Answer(self.status, [*headers, ("content-type", "text/plain; charset=utf-8")], self.detail.encode())


class Refused(Exception):
    """Somebody is turned away: by a Refusal of ours, or by what the application has answered."""

    def __init__(self, refusal: Refusal | Answer) -> None:
        super().__init__(refusal.status)
        self.refusal = refusal

    def answer(self, path: str) -> Answer:
        """What is sent; the connection is of no use afterward, as the body is still on its way."""
        answer = self.refusal if isinstance(self.refusal, Answer) else self.refusal.answer(path)
        return replace(answer, headers=[*answer.headers, ("connection", "close")])


NO_HOST = Refusal(400, "host_missing", "A request names its host, once.")
NOT_ASCII = Refusal(400, "header_not_ascii", "A header of the request has characters in it that are not ASCII.")
COOKIE_NOT_ASCII = Refusal(  # of another site of the same domain, as a rule; without it, the page can be reached again
    400,
    "cookie_not_ascii",
    "A cookie has characters in it that are not ASCII. Reload the page to go on without cookies.",
    headers=(("clear-site-data", '"cookies"'),),
)
CODED = Refusal(415, "unsupported_content_coding", "A body is read as it is, without a Content-Encoding.")
TRANSFER_CODED = Refusal(501, "unsupported_transfer_coding", "Of the transfer codings, only chunked is understood.")
CUT_SHORT = Refusal(400, "body_cut_short", "The body of the request ended before it was complete.")
TOO_SLOW = Refusal(408, "body_too_slow", "The body of the request came too slowly.")
TOO_LONG = Refusal(413, "content_too_large", "The request is larger than is read.")
TOO_MANY = Refusal(429, "too_many_bodies", "Too many requests from this address are still on their way.", 1)
NO_ROOM = Refusal(503, "temporarily_unavailable", "There is no room for the request at the moment.", 1)
BUSY = Refusal(503, "temporarily_unavailable", "The server is busy. Please try again.", 1)
FAILED = Refusal(500, "server_error", "Something went wrong on our side. It has been noted.")
