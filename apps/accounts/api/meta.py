"""What clients need to know before they call: the schema, a page to try it, the keys of tokens."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseNotAllowed, JsonResponse
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.guards import public
from apps.core.http import API_METHODS

from ..keyset import keyset

DOCS_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "base-uri 'none'; frame-ancestors 'none'; object-src 'none'; form-action 'self'"
)
JWKS_SECONDS = 300


def refuse_method(view: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
    """Leave the problem to the middleware: the renderers of these views write something else than JSON."""
    return HttpResponseNotAllowed(view.allowed_methods)


class SchemaView(SpectacularAPIView):
    """The OpenAPI description."""

    public_because = "describes the API, holds no data"
    authentication_classes = ()
    http_method_not_allowed = refuse_method
    http_method_names = API_METHODS


class DocsView(SpectacularSwaggerSplitView):
    """A page to read and try the API."""

    public_because = "describes the API, holds no data"
    authentication_classes = ()
    template_name = "api/docs.html"
    renderer_classes = [TemplateHTMLRenderer]  # noqa: RUF012
    http_method_not_allowed = refuse_method
    http_method_names = API_METHODS
    schema = None

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        response["Content-Security-Policy"] = DOCS_POLICY
        return response


@public("public keys are public")
@require_safe
def jwks(request: HttpRequest) -> JsonResponse:
    """The keys with which anybody can verify our tokens (RFC 7517)."""
    response = JsonResponse(keyset.as_jwks(), content_type="application/jwk-set+json")
    response["Cache-Control"] = f"public, max-age={JWKS_SECONDS}"
    return response
