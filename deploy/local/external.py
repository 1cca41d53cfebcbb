"""Variables that the user has set: each is checked before anything starts on its strength."""

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import psycopg
import redis

from deploy.local.errors import LaunchError

DATABASE_VARIABLES = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_OPERATOR_URL")
CONNECT_SECONDS = 5
KEY_BYTES = 32


def has_external_database(environ: Mapping[str, str]) -> bool:
    """Whether the user brings a database; half of its variables will not do."""
    present = [name for name in DATABASE_VARIABLES if environ.get(name)]
    missing = [name for name in DATABASE_VARIABLES if not environ.get(name)]
    if present and missing:
        raise LaunchError(
            f"{missing[0]} is not set, though {present[0]} is: set {', '.join(DATABASE_VARIABLES)}, or none"
            " of them to use the embedded PostgreSQL"
        )
    return bool(present)


def check_database(environ: Mapping[str, str]) -> None:
    """Connect with each URL whose role exists: the owner's must, `setup_roles` makes the others."""
    with _connect("DATABASE_OWNER_URL", environ) as connection:
        for name in ("DATABASE_URL", "DATABASE_OPERATOR_URL"):
            _split(name, environ)
            role = unquote(urlsplit(environ[name]).username or "")
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                _connect(name, environ).close()


def check_redis(environ: Mapping[str, str]) -> None:
    """Ask the Redis of the user for an answer."""
    url = environ["REDIS_URL"]
    try:
        with redis.Redis.from_url(
            url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS
        ) as client:
            client.ping()
    except ValueError:
        raise LaunchError("REDIS_URL is not of the form redis://:password@host:port/0") from None
    except redis.RedisError as error:
        raise LaunchError(f"REDIS_URL does not work: {_without_password(str(error), url)}") from None


def check_master_keys(value: str) -> None:
    """Refuse keys that could not decrypt anything; the message does not repeat them."""
    numbers = set()
    for entry in value.split(","):
        number, separator, key = entry.strip().partition(":")
        if not (separator and number.isascii() and number.isdigit() and _is_key(key)):
            raise LaunchError(
                "MASTER_KEYS is malformed: it is a comma-separated list of <number>:<32 bytes in base64url>"
            )
        numbers.add(int(number))
    if len(numbers) != len(value.split(",")):
        raise LaunchError("MASTER_KEYS gives one number to two keys: number each differently")


def _is_key(text: str) -> bool:
    padded = text.rstrip("=")
    padded += "=" * (-len(padded) % 4)
    try:
        return len(base64.b64decode(padded, altchars=b"-_", validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _split(name: str, environ: Mapping[str, str]) -> None:
    try:
        parts = urlsplit(environ[name])
        named = all((parts.hostname, parts.username, parts.path.strip("/")))
        valid = parts.scheme in {"postgres", "postgresql"} and named and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise LaunchError(f"{name} is not of the form postgres://user:password@host:port/database")


def _connect(name: str, environ: Mapping[str, str]) -> psycopg.Connection[tuple[object, ...]]:
    _split(name, environ)
    url = environ[name]
    try:
        return psycopg.connect(url, connect_timeout=CONNECT_SECONDS, autocommit=True)
    except psycopg.OperationalError as error:
        reason = _without_password((str(error).strip() or "no reason given").splitlines()[0], url)
        raise LaunchError(f"{name} does not work: {reason}") from None
    except psycopg.Error:
        raise LaunchError(
            f"{name} is not understood: write it as postgres://user:password@host:port/database"
        ) from None


def _without_password(text: str, url: str) -> str:
    """Libraries quote the address in some errors; what is printed must not."""
    password = urlsplit(url).password
    for secret in (url, password, unquote(password or "")):
        if secret:
            text = text.replace(secret, "***")
    return text
