"""The servers of one run, and the environment of each process that uses them."""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from deploy.local import start_servers, stop_servers
from tests.support import pooler

ROOT = Path(__file__).resolve().parents[2]
DATA_DIR = ROOT / "var" / "bench"
URLS = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_OPERATOR_URL")
EXTERNAL = (
    *URLS,
    "DATABASE_DIRECT_URL",
    "DATABASE_REPLICA_URL",
    "DATABASE_POOL_SIZE",
    "REDIS_URL",
    "CACHE_URL",
    "BROKER_URL",
    "DEBUG",
)
STOCK_ROLE = "stock_owner"


@dataclass
class Servers:
    """Running servers. Every database is owned by the project it belongs to."""

    variables: dict[str, str]
    stock_password: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def stock_url(self) -> str:
        """The stock project's role on our server."""
        parts = urlsplit(self.variables["DATABASE_URL"])
        return parts._replace(netloc=f"{STOCK_ROLE}:{self.stock_password}@{parts.hostname}:{parts.port}").geturl()

    def ours(self, database: str, *, port: int | None = None) -> dict[str, str]:
        """The environment of our project on a database; ``port`` leads its application elsewhere."""
        urls = {name: _with_database(self.variables[name], database) for name in URLS}
        if port is not None:
            urls["DATABASE_DIRECT_URL"] = urls["DATABASE_URL"]
            urls["DATABASE_URL"] = pooler.through(port, urls["DATABASE_URL"])
        return {**_inherited(), **self.variables, **urls, "DJANGO_SETTINGS_MODULE": "config.settings"}

    def stock(self, database: str, *, port: int | None = None) -> dict[str, str]:
        """The environment of the stock project on a database."""
        url = _with_database(self.stock_url, database)
        return {
            **_inherited(),
            "DATABASE_DIRECT_URL": url,
            "DATABASE_URL": url if port is None else pooler.through(port, url),
            "SECRET_KEY": self.variables["SECRET_KEY"],
            "DJANGO_SETTINGS_MODULE": "tests.bench.stock.settings",
        }

    def create_databases(self, *, ours: list[str], stock: list[str]) -> None:
        """Make databases of both projects unless they exist."""
        owner_url = self.variables["DATABASE_OWNER_URL"]
        with psycopg.connect(owner_url, autocommit=True) as connection:
            self._create_stock_role(connection)
            for name in ours:
                _create_database(connection, name, urlsplit(owner_url).username or "")
            for name in stock:
                _create_database(connection, name, STOCK_ROLE)

    def _create_stock_role(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [STOCK_ROLE]).fetchone():
            return
        role, password = sql.Identifier(STOCK_ROLE), sql.Literal(self.stock_password)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, password))
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))


def start() -> Servers:
    """Start durable servers with nothing in them."""
    stop()
    remove()
    for name in EXTERNAL:
        os.environ.pop(name, None)
    os.environ["ENVIRONMENT"] = "development"
    return Servers(start_servers(DATA_DIR, durable=True))


def stop() -> None:
    """Stop the servers of this or an interrupted run."""
    stop_servers(DATA_DIR)


def remove() -> None:
    """Remove what a run left on disk, its logs too."""
    shutil.rmtree(DATA_DIR, ignore_errors=True)


def _create_database(connection: psycopg.Connection[tuple[object, ...]], name: str, owner: str) -> None:
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
        statement = sql.SQL("CREATE DATABASE {} OWNER {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(owner)))


def _with_database(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in EXTERNAL}
