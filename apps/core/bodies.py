"""The question that the web server asks before it receives a body of more than a few hundred kilobytes."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

QUESTION = "tenantry.body_question"


@dataclass
class BodyQuestion:
    """``announced`` is the length of the body if the client says it; ``limit`` the answer: how long it may be.

    Without a limit nothing may come, and the client is sent the response.
    """

    announced: int | None
    limit: int | None = None


def question_of(request: HttpRequest) -> BodyQuestion | None:
    """The question that the request stands for; it has no body then, and must not reach a view."""
    question: BodyQuestion | None = request.META.get(QUESTION)
    return question


def is_granted(request: HttpRequest) -> bool:
    """Whether the request was a question, answered with a limit: the one that counts is yet to come."""
    question = question_of(request)
    return question is not None and question.limit is not None
