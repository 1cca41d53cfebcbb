"""``dbshell``: psql in the current context, for as long as it runs."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql.client import DatabaseClient as PostgresClient

from ..context import current
from ..walls.context_statements import session_settings


class DatabaseClient(PostgresClient):
    @classmethod
    def settings_to_cmd_args_env(cls, settings_dict: Any, parameters: Any) -> Any:
        args, env = super().settings_to_cmd_args_env(settings_dict, parameters)
        if settings_dict["OPTIONS"].get("as_owner"):
            return args, env
        options = " ".join(f"-c {name}={value}" for name, value in session_settings(current()).items())
        return args, {**(env or {}), "PGOPTIONS": options}
