"""The environment variables of the application, and the servers that they point to."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from deploy.local.errors import PortTakenError
from deploy.local.external import (
    check_database,
    check_master_keys,
    check_redis,
    has_external_database,
)
from deploy.local.postgres import DATABASE, OWNER_ROLE, EmbeddedPostgres
from deploy.local.progress import Say, tell
from deploy.local.stored import choose_port, load_secrets, remember_port, remembered_port
from deploy.local.system import locked, make_directory, port_is_free
from deploy.local.valkey import EmbeddedValkey

LOGIN_ROLE = "tenantry_login"
OPERATOR_ROLE = "tenantry_operator"


class _Server(Protocol):
    def start(self, port: int, *, durable: bool) -> bool: ...


class Environment:
    """What one DATA_DIR means for the application; what `environ` sets already wins."""

    def __init__(self, data_dir: Path, environ: Mapping[str, str] = os.environ, *, say: Say = tell) -> None:
        self.data_dir = data_dir.resolve()
        self._environ = dict(environ)
        self._has_database = has_external_database(self._environ)
        self._has_redis = bool(self._environ.get("REDIS_URL"))
        self._make_directories()
        with locked(self._servers_lock):
            self._secrets = load_secrets(self.data_dir)
        self._postgres = EmbeddedPostgres(
            self.data_dir,
            superuser_password=self._secrets["postgres"],
            owner_password=self._secrets["owner"],
            say=say,
        )
        self._valkey = EmbeddedValkey(self.data_dir, password=self._secrets["valkey"])

    def start(self, *, durable: bool) -> bool:
        """Start what is embedded and check what is not; True when something was not running."""
        self._check()
        started = False
        with locked(self._servers_lock):
            if not self._has_database:
                started |= self._start("postgres", self._postgres, self._postgres.running_port(), durable)
            if not self._has_redis:
                started |= self._start("valkey", self._valkey, self._valkey.running_port(), durable)
        return started

    def revive(self) -> list[str]:
        """Start the embedded servers that have died, on the ports that everybody knows; their names."""
        servers: list[tuple[str, _Server]] = []
        servers += [] if self._has_database else [("postgres", self._postgres)]
        servers += [] if self._has_redis else [("valkey", self._valkey)]
        dead = [entry for entry in servers if port_is_free(remembered_port(self.data_dir, entry[0]))]
        with locked(self._servers_lock):
            return [name for name, server in dead if server.start(remembered_port(self.data_dir, name), durable=True)]

    def stop(self) -> None:
        """Stop the embedded servers that run."""
        with locked(self._servers_lock):
            self._valkey.stop(remembered_port(self.data_dir, "valkey"))
            self._postgres.stop()

    def runs(self) -> bool:
        """Whether the embedded servers are up."""
        return (self._has_database or self._postgres.running_port() is not None) and (
            self._has_redis or self._valkey.runs_on(remembered_port(self.data_dir, "valkey"))
        )

    def variables(self) -> dict[str, str]:
        """The variables; those of the embedded servers are right once `start` has returned."""
        chosen = self._database_urls() | {
            "REDIS_URL": self._redis_url(),
            "SECRET_KEY": self._secrets["secret_key"],
            "MASTER_KEYS": self._secrets["master_keys"],
            "PORT": "8000",
            "ENVIRONMENT": "development",
        }
        chosen = {name: self._environ.get(name) or value for name, value in chosen.items()}
        return chosen | self._stripe(chosen["ENVIRONMENT"]) | {"DATA_DIR": str(self.data_dir)}

    def choose_stripe_port(self) -> None:
        """Find a port for the local Stripe, which the Procfile starts."""
        with locked(self._servers_lock):
            choose_port(self.data_dir, "stripe")

    @property
    def _servers_lock(self) -> Path:
        return self.data_dir / "locks" / "servers"

    def _make_directories(self) -> None:
        # Root's PostgreSQL account has to pass through, and needs to see nothing on its way.
        make_directory(self.data_dir, 0o711 if os.geteuid() == 0 else 0o700)
        make_directory(self.data_dir / "locks")
        make_directory(self.data_dir / "logs")

    def _check(self) -> None:
        check_master_keys(self.variables()["MASTER_KEYS"])
        if self._has_database:
            check_database(self._environ)
        if self._has_redis:
            check_redis(self._environ)

    def _start(self, name: str, server: _Server, running: int | None, durable: bool) -> bool:
        if running is not None:
            remember_port(self.data_dir, name, running)
            return server.start(running, durable=durable)
        try:
            return server.start(choose_port(self.data_dir, name), durable=durable)
        except PortTakenError:
            # Another DATA_DIR that starts at this moment was quicker.
            return server.start(choose_port(self.data_dir, name), durable=durable)

    def _database_urls(self) -> dict[str, str]:
        port = remembered_port(self.data_dir, "postgres")
        roles = {
            "DATABASE_URL": (LOGIN_ROLE, self._secrets["login"]),
            "DATABASE_OWNER_URL": (OWNER_ROLE, self._secrets["owner"]),
            "DATABASE_OPERATOR_URL": (OPERATOR_ROLE, self._secrets["operator"]),
        }
        return {
            name: f"postgres://{role}:{password}@127.0.0.1:{port}/{DATABASE}"
            for name, (role, password) in roles.items()
        }

    def _stripe(self, environment: str) -> dict[str, str]:
        """Where the local Stripe is; nothing where a key of Stripe's own is given, or outside of development."""
        if self._environ.get("STRIPE_SECRET_KEY") or environment != "development":
            return {}
        port = str(remembered_port(self.data_dir, "stripe"))
        return {
            "STRIPE_SECRET_KEY": f"sk_test_{self._secrets['stripe']}",
            "STRIPE_API_HOST": f"http://127.0.0.1:{port}",
            "STRIPE_SANDBOX_PORT": port,
        }

    def _redis_url(self) -> str:
        port = remembered_port(self.data_dir, "valkey")
        return f"redis://:{self._secrets['valkey']}@127.0.0.1:{port}/0"


def start_servers(data_dir: Path, *, durable: bool) -> dict[str, str]:
    """Start the embedded servers of `data_dir` that do not run yet; the variables to use them with."""
    environment = Environment(data_dir)
    environment.start(durable=durable)
    return environment.variables()


def stop_servers(data_dir: Path) -> None:
    """Stop the embedded servers of `data_dir`; nothing happens where there are none."""
    if (data_dir / "secrets.json").exists():
        Environment(data_dir, environ={}).stop()
