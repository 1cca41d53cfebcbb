"""The operating system as the launcher needs it: accounts, ports, disk, files, locks."""

import contextlib
import fcntl
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.errors import LaunchError

ACCOUNT_NAME = "tenantry"
MINIMUM_FREE_MEGABYTES = 200


@dataclass(frozen=True)
class Account:
    """The user that owns and runs PostgreSQL, which refuses to run as root."""

    name: str
    uid: int
    gid: int

    def subprocess_options(self) -> dict[str, Any]:
        """Arguments that make `subprocess` switch to this account, where it is not already ours."""
        if os.geteuid() != 0:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give `path` to this account; a directory with all that is in it."""
        if os.geteuid() != 0:
            return
        os.chown(path, self.uid, self.gid)
        if path.is_dir():
            for child in path.rglob("*"):
                os.chown(child, self.uid, self.gid, follow_symlinks=False)

    def passes(self, *command: str | Path) -> bool:
        """Whether the command exits with 0 when this account runs it."""
        arguments = [str(part) for part in command]
        try:
            done = subprocess.run(arguments, cwd="/", capture_output=True, check=False, **self.subprocess_options())
        except OSError:
            return False
        return done.returncode == 0


def account_of(uid: int) -> Account:
    """The account with this user id."""
    entry = pwd.getpwuid(uid)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def service_account() -> Account:
    """Ourselves, or for root a system user made for the purpose (`nobody` where none can be made)."""
    if os.geteuid() != 0:
        return Account(str(os.geteuid()), os.geteuid(), os.getegid())
    if not _account_exists(ACCOUNT_NAME):
        _create_account()
    name = ACCOUNT_NAME if _account_exists(ACCOUNT_NAME) else "nobody"
    try:
        return account_of(pwd.getpwnam(name).pw_uid)
    except KeyError:
        message = "PostgreSQL refuses to run as root and no system user can be made: run as a normal user"
        raise LaunchError(message) from None


def _account_exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _create_account() -> None:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT_NAME]
    with contextlib.suppress(OSError):
        subprocess.run(command, capture_output=True, check=False)


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def require_disk_space(directory: Path) -> None:
    """Refuse to start a database on a disk that is about to be full."""
    free = shutil.disk_usage(directory).free // 2**20
    if free < MINIMUM_FREE_MEGABYTES:
        raise LaunchError(
            f"only {free} MB of disk space left in {directory}: free at least {MINIMUM_FREE_MEGABYTES} MB"
            " or set DATA_DIR to a directory on another disk"
        )


def make_directory(path: Path, mode: int = 0o700) -> None:
    """Create the directory; the mode of one that exists is left alone."""
    if path.is_dir():
        return
    try:
        path.mkdir(parents=True)
        path.chmod(mode)
    except OSError as error:
        raise LaunchError(f"cannot create {path} ({error.strerror}): set DATA_DIR elsewhere") from None


def write_private(path: Path, text: str) -> None:
    """Replace the file in one step; only its owner may read it, at no moment anybody else."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise LaunchError(f"cannot write {path} ({error.strerror}): make it writable or set DATA_DIR") from None


def open_lock(path: Path) -> int:
    """A descriptor for `flock`, which the kernel lets go of when the process dies."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LaunchError(
            f"cannot open {path} ({error.strerror}): run as the user who owns it, or set DATA_DIR"
        ) from None


def try_lock(descriptor: int) -> bool:
    """Take the lock for ourselves alone, unless somebody has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for the lock, and hold it within the block."""
    descriptor = open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def last_line_with(path: Path, *words: str) -> str:
    """The last line of a log with one of the words in it (its last line if none has), or nothing."""
    try:
        lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    matching = [line for line in lines if any(word in line for word in words)]
    return (matching or lines or [""])[-1].strip()
