"""One API request: key, version, route, parameters, idempotency, transaction, answer."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import time
from typing import Any

from apps.stripe_sandbox.core.errors import ApiError, not_served
from apps.stripe_sandbox.core.forms import decode
from apps.stripe_sandbox.core.ids import random_text
from apps.stripe_sandbox.core.messages import Request, Response
from apps.stripe_sandbox.core.presenting import present
from apps.stripe_sandbox.core.routes import Call, Route, match
from apps.stripe_sandbox.core.served import refuse_others
from apps.stripe_sandbox.core.store import Store
from apps.stripe_sandbox.core.validation import validate
from apps.stripe_sandbox.core.version import ACCOUNT, API_VERSION

KEYS = ("sk_test_", "rk_test_")
DAY = 86_400
log = logging.getLogger("stripe_sandbox")


class Api:
    """Answers requests under /v1 from a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def answer(self, request: Request) -> Response:
        """The answer, errors included; never raises."""
        request_id = f"req_{random_text(14)}"
        headers = {"Request-Id": request_id, "Stripe-Version": API_VERSION}
        key = request.headers.get("idempotency-key")
        if key:
            headers["Idempotency-Key"] = key
        try:
            _check_headers(request)
            self._break_on_demand(request)
            status, body, replayed = self._answer(request, request_id, key)
        except ApiError as error:
            status, body, replayed = error.status, _error_body(error, request_id), False
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            failure = ApiError("The sandbox failed; its log has the reason.", status=500, kind="api_error")
            status, body, replayed = 500, _error_body(failure, request_id), False
        if replayed:
            headers["Idempotent-Replayed"] = "true"
        if status < 500:
            headers["Stripe-Should-Retry"] = "true" if status == 429 else "false"
        return Response(status, body.encode(), headers)

    def _answer(self, request: Request, request_id: str, key: str | None) -> tuple[int, str, bool]:
        route, ids = match(request.method, request.path)
        given = decode("&".join(part for part in (request.query, request.body) if part))
        # What unsets an unknown thing is unknown as well: types are checked before anything is read or written.
        params = _checked(given, route)
        if request.method != "POST" or not key:
            return 200, self._execute(request_id, None, route, ids, params), False
        return self._once(request, request_id, key, route, ids, params)

    def _once(
        self, request: Request, request_id: str, key: str, route: Route, ids: list[str], params: dict[str, Any]
    ) -> tuple[int, str, bool]:
        """Run a repeatable call once; the lock makes a second one wait for the first and then repeat its answer."""
        if len(key) > 255:
            raise ApiError("Idempotency keys must be at most 255 characters.", kind="idempotency_error")
        fingerprint = hashlib.sha256(
            f"{request.method} {request.path}?{request.query}\n{request.body}".encode()
        ).hexdigest()
        with self.store.lock:
            with self.store.transaction() as session:
                session.connection.execute("DELETE FROM answers WHERE created < ?", (session.time - DAY,))
                row = session.connection.execute(
                    "SELECT fingerprint, status, body FROM answers WHERE key = ?", (key,)
                ).fetchone()
            if row and row[0] != fingerprint:
                raise ApiError(
                    "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                    f"Try using a key other than '{key}' if you meant to execute a different request.",
                    kind="idempotency_error",
                )
            if row:
                return row[1], row[2], True
            try:
                status, body = 200, self._execute(request_id, key, route, ids, params, fingerprint)
            except ApiError as error:
                status, body = error.status, _error_body(error, request_id)
                with self.store.transaction() as session:
                    _remember(session, key, fingerprint, status, body)
            return status, body, False

    def _execute(
        self,
        request_id: str,
        key: str | None,
        route: Route,
        ids: list[str],
        params: dict[str, Any],
        fingerprint: str = "",
    ) -> str:
        expand = params.pop("expand", None) or []
        with self.store.transaction() as session:
            session.request = {"id": request_id if route.operation.method != "GET" else None, "idempotency_key": key}
            doc = route.handler(Call(session, params), *ids)
            body = json.dumps(present(session, doc, expand))
            if key:
                _remember(session, key, fingerprint, 200, body)
            return body

    def _break_on_demand(self, request: Request) -> None:
        """What `/_sandbox/fail` and `/_sandbox/latency` asked for."""
        with self.store.transaction() as session:
            latency = session.setting("latency", 0)
            fault = session.setting("fault")
            hit = fault and fault["count"] > 0 and request.path.startswith(fault.get("path") or "/v1/")
            hit = hit and fault.get("method") in (None, request.method)
            if hit:
                session.set_setting("fault", {**fault, "count": fault["count"] - 1})
        if latency:
            time.sleep(latency)
        if hit:
            raise _asked_for(fault)


def _checked(given: dict[str, Any], route: Route) -> dict[str, Any]:
    record = route.operation.parameters
    params = validate(given, record) if record else {}
    refuse_others(params, route.served)
    return params


def _remember(session: Any, key: str, fingerprint: str, status: int, body: str) -> None:
    session.connection.execute(
        "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", (key, fingerprint, status, body, session.time)
    )


def _error_body(error: ApiError, request_id: str) -> str:
    return json.dumps(
        {"error": {**error.body, "request_log_url": f"https://dashboard.stripe.com/test/logs/{request_id}"}}
    )


def _asked_for(fault: dict[str, Any]) -> ApiError:
    status = int(fault["status"])
    if status == 429:
        return ApiError("Too many requests in test mode.", code="rate_limit", status=429)
    kind = "api_error" if status >= 500 else "invalid_request_error"
    return ApiError("This failure was asked for.", code=fault.get("code"), status=status, kind=kind)


def _check_headers(request: Request) -> None:
    """Only test keys, only the pinned version, only the platform's own account."""
    key = _key(request.headers.get("authorization", ""))
    if key.startswith(("sk_live_", "rk_live_", "pk_live_")):
        raise ApiError(
            "A live key was sent to the sandbox, which refuses it. Revoke the key if it went over a network.",
            status=401,
        )
    if not key:
        raise ApiError(
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
            status=401,
        )
    if not key.startswith(KEYS):
        raise ApiError(f"Invalid API Key provided: {key[:11]}***", status=401)
    version = request.headers.get("stripe-version", API_VERSION)
    if version != API_VERSION:
        raise not_served(f"version {version} of the API, only {API_VERSION}", "Stripe-Version")
    if request.headers.get("stripe-account", ACCOUNT) != ACCOUNT or "stripe-context" in request.headers:
        raise not_served("connected accounts", "Stripe-Account")
    if "json" in request.headers.get("content-type", ""):
        raise ApiError("Invalid request: use application/x-www-form-urlencoded.", param="Content-Type")


def _key(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value).decode().partition(":")[0]
        except ValueError:
            return ""
    return value.strip() if scheme.lower() in ("basic", "bearer") else ""
