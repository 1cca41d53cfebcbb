"""Where a PostgreSQL cluster lies: in DATA_DIR, unless the account that runs it cannot go there."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from deploy.local.binaries import SYSTEM_ROOT, find_postgres
from deploy.local.errors import LaunchError
from deploy.local.system import Account, account_of, make_directory, write_private


def cluster_place(data_dir: Path, account: Account, superuser_password: str) -> Path:
    """The directory of the cluster, whose parent is made.

    A parent that only root may enter is never opened to others: the cluster goes to a system directory
    named after DATA_DIR. One found there that an earlier DATA_DIR of that name left behind is set aside.
    """
    inside = data_dir / "postgres"
    if os.geteuid() != 0:
        return inside
    if (inside / "PG_VERSION").exists():
        _require_reachable(inside, account)
        return inside
    if account.passes("test", "-x", data_dir):
        return inside
    outside = SYSTEM_ROOT / hashlib.sha256(str(data_dir).encode()).hexdigest()[:12] / "postgres"
    _prepare_outside(outside, superuser_password)
    return outside


def _require_reachable(inside: Path, account: Account) -> None:
    owner = inside.stat().st_uid
    account = account_of(owner) if owner else account
    if not account.passes("test", "-x", inside.parent):
        raise LaunchError(
            f"{inside} is out of reach for user {account.name}, who runs PostgreSQL: move the project back,"
            " or set DATA_DIR"
        )


def _prepare_outside(outside: Path, superuser_password: str) -> None:
    make_directory(SYSTEM_ROOT, 0o755)
    make_directory(outside.parent, 0o711)
    mark = outside.with_name("made-for")
    expected = hashlib.sha256(superuser_password.encode()).hexdigest()
    if outside.exists() and (not mark.exists() or mark.read_text() != expected):
        _set_aside(outside)
    if not mark.exists() or mark.read_text() != expected:
        write_private(mark, expected)


def _set_aside(outside: Path) -> None:
    account = account_of(outside.stat().st_uid)
    if (outside / "postmaster.pid").exists():
        stop = [find_postgres(account).program("pg_ctl"), "-D", str(outside), "-m", "fast", "stop"]
        subprocess.run(stop, cwd="/", capture_output=True, check=False, **account.subprocess_options())
    old = outside.with_name("postgres.old")
    shutil.rmtree(old, ignore_errors=True)
    outside.rename(old)
