"""The base of every API view: who may, on what, and once only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, NoReturn

from django.http import HttpResponse
from django.utils.http import http_date
from rest_framework.generics import GenericAPIView
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from apps.audit.actors import act_for_call
from apps.core.errors import NotFoundError, PreconditionFailed
from apps.core.http import API_METHODS, is_safe
from apps.core.preconditions import etag_of, is_known, matches
from apps.core.rendering import plain_columns, written_as
from apps.tenancy import replicas

from . import fingerprints
from .bodies import Limit
from .content import check_content, check_parameters
from .errors import CallerUnknown
from .list_query import ListQuery
from .models import IdempotentCall
from .services import idempotency
from .subjects import Subject

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
KEPT_HEADERS = ("Location", "ETag", "Content-Type")


def allow(**permissions: str) -> dict[str, str]:
    """A view's ``permissions_by_method``; HEAD needs what GET needs."""
    return {"HEAD": permissions["GET"], **permissions} if "GET" in permissions else permissions


@cache
def _made_of(classes: tuple[type[Any], ...]) -> list[Any]:
    """One of each for all requests: they keep nothing of any."""
    return [one() for one in classes]


@cache
def _methods_of(view: Any) -> list[str]:
    """HEAD is answered wherever GET is."""
    return [name.upper() for name in view.http_method_names if hasattr(view, "get" if name == "head" else name)]


@cache
def _allow_of(view: Any) -> str:
    return ", ".join(_methods_of(view))


class NotModified(Exception):
    """The caller has what a read would answer."""


class Replayed(Exception):
    """The call was answered before."""

    def __init__(self, answer: idempotency.StoredAnswer) -> None:
        self.answer = answer


class ResourceView(GenericAPIView[Any]):
    """A view that declares its permissions; with a ``finder`` it is about one thing, found as ``self.resource``.

    A ``versioned`` view shows that thing, with its ETag. ``query`` is what may be asked of its list, ``parameters``
    what may be asked otherwise. ``media_types`` are what a read answers in place of JSON. ``takes_nothing`` says that
    its calls have no content, ``body_limit`` how long a body may be that is longer than most.

    An unsafe call with an Idempotency-Key runs once and answers the same for 24 hours; If-Match and If-None-Match hold
    for every call. ``deprecated_at`` and ``sunset_at`` announce the end of a view.
    """

    http_method_names = API_METHODS
    permissions_by_method: ClassVar[dict[str, str]] = {}
    finder: ClassVar[Callable[..., Any] | None] = None
    deprecated_at: ClassVar[datetime | None] = None
    sunset_at: ClassVar[datetime | None] = None
    versioned: ClassVar[bool] = False
    query: ClassVar[ListQuery] = ListQuery()
    body_limit: ClassVar[Limit | None] = None
    parameters: ClassVar[tuple[Any, ...]] = ()
    media_types: ClassVar[tuple[str, ...]] = ()
    takes_nothing: ClassVar[bool] = False
    resource: Any = None
    call: IdempotentCall | None = None

    @property
    def subject(self) -> Subject:
        subject: Any = self.request.user
        return subject  # type: ignore[no-any-return]

    @property
    def expected(self) -> str:
        """The If-Match of the request, for the service that locks the thing."""
        return str(self.request.headers.get("If-Match", ""))

    def get_authenticators(self) -> list[Any]:
        return _made_of(tuple(self.authentication_classes))

    def get_content_negotiator(self) -> Any:
        return _made_of((self.content_negotiation_class,))[0]

    @property
    def allowed_methods(self) -> list[str]:
        return _methods_of(type(self))

    @property
    def default_response_headers(self) -> dict[str, str]:
        varies = {"Vary": "Accept"} if len(self.renderer_classes) > 1 else {}
        return {"Allow": _allow_of(type(self)), **varies}

    def at_address(self) -> Any:
        """What is there now, as preconditions see it; None if nothing is."""
        return self.resource if self.versioned else self

    def get_parsers(self) -> list[Any]:
        """Where nothing is taken, a form is refused by the names in it rather than for being one."""
        return [*super().get_parsers(), *([MultiPartParser(), FormParser()] if self.takes_nothing else [])]

    def get_renderers(self) -> list[Any]:
        written = self.media_types if is_safe(self.request) else ()
        return [written_as(media_type) for media_type in written] or super().get_renderers()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method not in self.allowed_methods:
            return
        if request.method in self.permissions_by_method:
            with replicas.fresh():
                self._find(request, **kwargs)
        self._begin(request)
        self._check_preconditions(request)
        check_parameters(self._parameters(request), request.query_params)
        if self.takes_nothing or request.method == "DELETE":
            check_content(Serializer(data=request.data), request.data)

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> NoReturn:
        if isinstance(self.subject, Subject) and self.subject.owns(self.resource):
            self._recall(request)  # what somebody took from themselves is missing when the call is repeated
        super().permission_denied(request, message, code)

    def _find(self, request: Request, **kwargs: Any) -> None:
        """Find the one thing that the view is about, if it is about one, and decide on it."""
        find = type(self).finder
        if find is None:
            return
        try:
            self.resource = find(self.subject, **kwargs)
        except NotFoundError:
            if request.method == "DELETE":
                self._recall(request)  # what a call deleted is not found when it is repeated
            raise
        self.check_object_permissions(request, self.resource)

    def _begin(self, request: Request) -> None:
        """Raises Replayed."""
        key = request.headers.get("Idempotency-Key")
        if key is None or request.method not in UNSAFE:
            return
        if not isinstance(self.subject, Subject):
            raise CallerUnknown
        begun = idempotency.begin(subject=self.subject, key=key, fingerprint=fingerprints.of_call(request))
        if isinstance(begun, idempotency.StoredAnswer):
            raise Replayed(begun)
        self.call = begun
        act_for_call(begun.id)

    def _check_preconditions(self, request: Request) -> None:
        """In the order of RFC 9110, 13.2.2. Raises PreconditionFailed, NotModified."""
        if_match, if_none_match = request.headers.get("If-Match"), request.headers.get("If-None-Match")
        if if_match is not None and not matches(if_match, self.at_address()):
            raise PreconditionFailed
        if if_none_match is not None and is_known(if_none_match, self.at_address()):
            raise NotModified if is_safe(request) else PreconditionFailed

    def _parameters(self, request: Request) -> tuple[Any, ...]:
        """The serializers of what may stand in the query."""
        if not is_safe(request):
            return ()
        is_list = getattr(self, "queryset", None) is not None
        return (*self.parameters, self.query.parameters) if is_list else self.parameters

    def _recall(self, request: Request) -> None:
        """Raises Replayed if the same caller has made the same call before."""
        key = request.headers.get("Idempotency-Key", "")
        if request.method in UNSAFE and key.isprintable():
            answer = idempotency.recall(subject=self.subject, key=key, fingerprint=fingerprints.of_call(request))
            if answer is not None:
                raise Replayed(answer)

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, Replayed):
            return _replay(exc.answer)
        if isinstance(exc, NotModified):
            return _not_modified(self.at_address())
        try:
            return super().handle_exception(exc)
        except Exception:
            if self.call is not None:
                idempotency.abandon(self.call)
            raise

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.deprecated_at:
            response["Deprecation"] = f"@{int(self.deprecated_at.timestamp())}"  # RFC 9745
        if self.sunset_at:
            response["Sunset"] = http_date(self.sunset_at.timestamp())  # RFC 8594
        call, self.call = self.call, None
        if call is not None:
            response.render()
            _settle(call, response)
        return response

    def answer(self, serializer_class: Any, row: Any, *, status: int = 200) -> Response:
        """A row as the API shows it, with its ETag; read off where the serializer only repeats columns."""
        columns = plain_columns(serializer_class)
        if columns is not None:
            shown: Any = {column: getattr(row, column) for column in columns}
        else:
            shown = serializer_class(row, context=self.get_serializer_context()).data
        response = Response(shown, status=status)
        tag = etag_of(row)
        if tag:
            response["ETag"] = tag
        return response

    def valid(self, serializer_class: Any, **options: Any) -> dict[str, Any]:
        """The checked content of the request. Raises ValidationError that names the fields."""
        serializer = serializer_class(data=self.request.data, context=self.get_serializer_context(), **options)
        check_content(serializer, self.request.data)
        return dict(serializer.validated_data)

    def listed(self, rows: Any, serializer_class: Any) -> Response:
        """One page of the rows that are asked for, read as columns where the serializer only repeats them."""
        rows = self.query.applied(rows, self.request.query_params)
        columns = plain_columns(serializer_class)
        pages: Any = self.paginator
        if columns is not None and pages.position_field(self.request, self) in columns:
            return self.get_paginated_response(self.paginate_queryset(rows.values(*columns)))
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(
            serializer_class(page, many=True, context=self.get_serializer_context()).data
        )


def _not_modified(row: Any) -> HttpResponse:
    tag = etag_of(row)
    response = HttpResponse(status=304, headers={"ETag": tag} if tag else {})
    del response["Content-Type"]
    return response


def _replay(answer: idempotency.StoredAnswer) -> HttpResponse:
    headers = {**answer.headers, "Idempotent-Replayed": "true"}
    response = HttpResponse(answer.body, status=answer.status, headers=headers)
    if "Content-Type" not in headers:
        del response["Content-Type"]  # what is empty has none
    return response


def _settle(call: IdempotentCall, response: Any) -> None:
    """Keep what the call was answered with; what failed on our side, or came too often, may be tried again."""
    if response.status_code >= 500 or response.status_code == 429:
        idempotency.abandon(call)
        return
    headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    idempotency.finish(call, idempotency.StoredAnswer(response.status_code, headers, response.content))
