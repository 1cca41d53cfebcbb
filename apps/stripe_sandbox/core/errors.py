"""Refusals in Stripe's shape and status."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


def known(value: T | None) -> T:
    """A value that must be there by what was checked or written before."""
    if value is None:
        raise LookupError("the sandbox lost something that it had")
    return value


class ApiError(Exception):
    """Whatever is answered with an `error` object. Nothing of the request's writes remains, unless `keep` is set."""

    keep = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        status: int = 400,
        kind: str = "invalid_request_error",
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"message": message, "type": kind, **details}
        if code:
            self.body["code"] = code
            self.body["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        if param:
            self.body["param"] = param


class CardError(ApiError):
    """A refused card: 402. What led to it (the charge, the failed intent, their events) remains."""

    keep = True

    def __init__(self, message: str, *, code: str, decline_code: str | None = None, **details: Any) -> None:
        if decline_code:
            details["decline_code"] = decline_code
        super().__init__(message, code=code, status=402, kind="card_error", **details)


def missing(what: str, id_: str, param: str = "id") -> ApiError:
    return ApiError(f"No such {what}: '{id_}'", code="resource_missing", param=param, status=404)


def required(param: str) -> ApiError:
    return ApiError(f"Missing required param: {param}.", code="parameter_missing", param=param)


def not_served(what: str, param: str | None = None) -> ApiError:
    """Stripe has it, this sandbox has not: said aloud, never ignored."""
    message = f"The sandbox does not serve {what}. Stripe does; apps/stripe_sandbox/LIMITS.md lists what is absent."
    return ApiError(message, code="sandbox_not_served", param=param)
