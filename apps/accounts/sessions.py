"""Sessions that a tenant's host cannot share with another's: each runs in the context it was opened in."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db

from apps.audit.actors import origin
from apps.core import clocks
from apps.tenancy.context import Context, ControlContext, TenantContext, control, current, use

from .models import Session


class SessionStore(db.SessionStore):
    """Bound when it is made: to the tenant of the request, or, on the apex, to no tenant."""

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        context = current()
        self._context: Context = context if isinstance(context, TenantContext) else ControlContext("apex session")

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        session: Any = super().create_model_instance(data)
        source = origin()
        session.tenant_id, session.user_id = self._tenant_id, data.get(SESSION_KEY)
        session.ip, session.user_agent = source.ip, source.user_agent[:400]
        return session

    def load(self) -> dict[str, Any]:
        with use(self._context):
            row = Session.objects.filter(
                session_key=self.session_key, tenant_id=self._tenant_id, expire_date__gt=clocks.over()
            ).first()
        if row is None:
            self._session_key = None  # type: ignore[assignment]
            return {}
        return self.decode(row.session_data)

    def exists(self, session_key: str) -> bool:
        with use(self._context):
            return super().exists(session_key)

    def save(self, must_create: bool = False) -> None:
        with use(self._context):
            super().save(must_create)

    def delete(self, session_key: str | None = None) -> None:
        with use(self._context):
            super().delete(session_key)

    @classmethod
    def clear_expired(cls) -> None:
        with control("clear expired sessions"):
            super().clear_expired()

    def _validate_session_key(self, key: str | None) -> bool:
        """Only what may be ours is looked up: a quoted cookie can hold any character, NUL too."""
        return bool(super()._validate_session_key(key)) and str(key).isalnum()  # type: ignore[misc]

    @property
    def _tenant_id(self) -> Any:
        return self._context.tenant_id if isinstance(self._context, TenantContext) else None
