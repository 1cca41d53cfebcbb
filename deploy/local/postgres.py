"""The embedded PostgreSQL: a cluster of its own on a TCP port of this machine."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg
from psycopg import sql

from deploy.local.binaries import PostgresInstall, find_postgres
from deploy.local.cluster_place import cluster_place
from deploy.local.errors import LaunchError, PortTakenError
from deploy.local.progress import Activity, Say, tell, wait_while
from deploy.local.sizing import sized
from deploy.local.system import (
    Account,
    account_of,
    last_line_with,
    make_directory,
    port_is_free,
    require_disk_space,
    service_account,
    write_private,
)

DATABASE = "tenantry"
OWNER_ROLE = "tenantry_owner"
UNTIL_IT_IS_DONE = str(7 * 24 * 3600)  # pg_ctl wants a limit: ours is that nothing moves any more
PID_LINE, PORT_LINE, STATUS_LINE = 0, 3, 7  # of postmaster.pid
LOG_LIMIT_BYTES = 10_000_000

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "256MB",
    "wal_level": "logical",
}
FAST_BUT_FORGETFUL: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}
ATTEMPTS = 10
LEFT_BEHIND = "shared memory block"  # of a server that was killed, whose processes have not all ended yet


class EmbeddedPostgres:
    """One cluster under DATA_DIR, with its superuser's and its owner role's passwords."""

    def __init__(self, data_dir: Path, *, superuser_password: str, owner_password: str, say: Say = tell) -> None:
        self._data_dir = data_dir
        self._say = say
        self._superuser_password = superuser_password
        self._owner_password = owner_password

    @cached_property
    def directory(self) -> Path:
        """Where the cluster is."""
        return cluster_place(self._data_dir, service_account(), self._superuser_password)

    @property
    def log(self) -> Path:
        """What the server writes."""
        return self.directory / "server.log"

    @cached_property
    def _account(self) -> Account:
        """Whoever owns the cluster, which need not be whom we would choose today."""
        if os.geteuid() == 0 and self._exists():
            owner = self.directory.stat().st_uid
            return account_of(owner) if owner else service_account()
        return service_account()

    @cached_property
    def _install(self) -> PostgresInstall:
        return find_postgres(self._account)

    def running_port(self) -> int | None:
        """The port of our own server, if it runs."""
        pid, port = (self._noted(line) for line in (PID_LINE, PORT_LINE))
        return int(port) if pid.isdigit() and port.isdigit() and self._works_here(int(pid)) else None

    def start(self, port: int, *, durable: bool) -> bool:
        """Start the server and prepare its database; False when it was running already."""
        running = self.running_port()
        if running is None:
            self._require_ownership()
            require_disk_space(self.directory.parent)
            self._create(durable=durable)
            if not port_is_free(port):
                raise PortTakenError(f"port {port}, meant for PostgreSQL, is in use: stop what listens there")
            self._configure(port, durable=durable)
            self._launch()
        else:  # perhaps by somebody who did not wait for the end of its recovery
            wait_while(self._is_recovering, self._activity("startup"), self._say)
        self._prepare_database(running or port)
        return running is None

    def stop(self) -> None:
        """Shut down at once, but cleanly: clients are disconnected, nothing is lost."""
        if self.running_port() is not None:
            done = self._patiently("checkpointer", "-D", str(self.directory), "-m", "fast", "stop")
            if done != 0:
                raise LaunchError(f"PostgreSQL does not stop (see {self.log})")

    def _exists(self) -> bool:
        return (self.directory / "PG_VERSION").exists()

    def _require_ownership(self) -> None:
        if os.geteuid() != 0 and self._directory_owner() not in (None, os.geteuid()):
            raise LaunchError(
                f"{self.directory} belongs to another user: run as that user, or set DATA_DIR to a directory"
                " of your own"
            )

    def _directory_owner(self) -> int | None:
        try:
            return self.directory.stat().st_uid
        except FileNotFoundError:
            return None

    def _create(self, *, durable: bool) -> None:
        """Create the cluster beside its place and move it there whole: an interrupted one is never used."""
        if self._exists():
            self._require_same_major()
            if os.geteuid() == 0 and self._directory_owner() == 0:
                self._account.own(self.directory)
            return
        new = self.directory.with_name("postgres.new")
        shutil.rmtree(new, ignore_errors=True)
        make_directory(new)
        self._account.own(new)
        password_file = self.directory.with_name("postgres.password")
        write_private(password_file, self._superuser_password)
        self._account.own(password_file)
        try:
            self._initialize(new, password_file, durable=durable)
        finally:
            password_file.unlink()
        new.rename(self.directory)

    def _initialize(self, new: Path, password_file: Path, *, durable: bool) -> None:
        options = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={password_file}"]
        options += ["--encoding=UTF8", "--no-locale", "--data-checksums"]
        options += [] if durable else ["--no-sync"]
        self._run("initdb", "-D", str(new), *options)
        with (new / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("\ninclude = 'tenantry.conf'\n")

    def _require_same_major(self) -> None:
        made_by = (self.directory / "PG_VERSION").read_text().strip()
        if made_by != str(self._install.major):
            raise LaunchError(
                f"{self.directory} was made by PostgreSQL {made_by} and this is {self._install.major}: dump it"
                f" with {made_by} and restore it here, or set DATA_DIR to a new directory"
            )

    def _configure(self, port: int, *, durable: bool) -> None:
        settings = {**SETTINGS, **sized(self.directory, self._install.major), "port": str(port)}
        settings |= {} if durable else FAST_BUT_FORGETFUL
        text = "# Written at each start; put changes of your own into postgresql.auto.conf.\n"
        text += "".join(f"{name} = '{value}'\n" for name, value in settings.items())
        path = self.directory / "tenantry.conf"
        write_private(path, text)
        self._account.own(path)

    def _launch(self) -> None:
        """Start the server; after an unclean stop the first attempt may meet what the old one left."""
        self._rotate_log()
        for attempt in range(ATTEMPTS):
            self._remove_stale_pid_file()
            if self._pg_ctl_start():
                return
            reason = last_line_with(self.log, "FATAL", "PANIC") or "it wrote nothing"
            if attempt and LEFT_BEHIND not in reason:
                break
            time.sleep(1)
        if "TCP/IP" in reason:  # somebody took the port after it was looked at
            raise PortTakenError(f"PostgreSQL's port is in use (see {self.log})")
        raise LaunchError(f"PostgreSQL does not start: {reason} (see {self.log})")

    def _pg_ctl_start(self) -> bool:
        return self._patiently("startup", "-D", str(self.directory), "-l", str(self.log), "start") == 0

    def _patiently(self, worker: str, *arguments: str) -> int:
        """Have pg_ctl do something for as long as a process of the server gets on with it; its exit code."""
        activity = self._activity(worker)
        command, options = self._command("pg_ctl", *arguments, "-w", "-t", UNTIL_IT_IS_DONE)
        options |= {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with self._telling_who_runs(), subprocess.Popen(command, **options) as process:
            try:
                wait_while(lambda: process.poll() is None, activity, self._say)
            except BaseException:
                process.kill()
                raise
        return process.returncode

    def _activity(self, worker: str) -> Activity:
        return Activity(self.log, worker, self._processes)

    def _processes(self) -> list[psutil.Process]:
        """Those that the server has, all begun by its first one."""
        try:
            return list(psutil.Process(int(self._noted(PID_LINE))).children())
        except (ValueError, psutil.Error):
            return []

    def _is_recovering(self) -> bool:
        return self.running_port() is not None and self._noted(STATUS_LINE) in ("", "starting")

    def _noted(self, number: int) -> str:
        """A line of what the server notes of itself while it runs, if it does."""
        try:
            return (self.directory / "postmaster.pid").read_text().splitlines()[number].strip()
        except (OSError, IndexError):
            return ""

    def _remove_stale_pid_file(self) -> None:
        """Remove the mark of a dead server, whose process id something else may have since.

        Never while any process of that server lives: PostgreSQL looks at the mark to find those.
        """
        if not any(self._works_here(pid) for pid in psutil.pids()):
            (self.directory / "postmaster.pid").unlink(missing_ok=True)

    def _works_here(self, pid: int) -> bool:
        """Whether this is a process of our server: all of them work in the cluster's directory."""
        try:
            process = psutil.Process(pid)
            return process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == self.directory.resolve()
        except (OSError, psutil.Error):
            return False

    def _rotate_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))

    def _command(self, program: str, *arguments: str) -> tuple[list[str], dict[str, Any]]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        options = {"cwd": "/", "env": environment | {"LC_ALL": "C"}, "stdin": subprocess.DEVNULL, "text": True}
        return [self._install.program(program), *arguments], options | self._account.subprocess_options()

    @contextlib.contextmanager
    def _telling_who_runs(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = f"cannot run PostgreSQL as {self._account.name} ({error.strerror}): run as a normal user"
            raise LaunchError(message) from None

    def _run(self, program: str, *arguments: str) -> None:
        command, options = self._command(program, *arguments)
        with self._telling_who_runs():
            done = subprocess.run(command, capture_output=True, check=False, **options)
        if done.returncode != 0:
            lines = [line for line in (done.stdout + done.stderr).splitlines() if "error" in line.lower()]
            reason = (lines or (done.stderr or done.stdout).strip().splitlines() or ["no reason given"])[-1]
            raise LaunchError(f"{program} failed: {reason}")

    def _prepare_database(self, port: int) -> None:
        """Make the owner role and its database, whatever of them is there already."""
        try:
            with self._connect(port) as connection:
                _prepare_owner(connection, self._owner_password)
                _prepare_owned_database(connection)
        except psycopg.OperationalError as error:
            reason = (str(error).strip() or "no reason given").splitlines()[0]
            if "authentication failed" in reason:
                reason = "secrets.json has not the password it was made with: restore it, or remove both"
            raise LaunchError(f"the cluster in {self.directory} cannot be used: {reason}") from None

    def _connect(self, port: int) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host="127.0.0.1",
            port=port,
            user="postgres",
            password=self._superuser_password,
            dbname="postgres",
            connect_timeout=10,
            autocommit=True,
        )


def _prepare_owner(connection: psycopg.Connection[tuple[object, ...]], password: str) -> None:
    found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [OWNER_ROLE]).fetchone()
    verifier = connection.pgconn.encrypt_password(password.encode(), OWNER_ROLE.encode(), b"scram-sha-256")
    statement = sql.SQL(
        "{verb} ROLE {role} LOGIN CREATEROLE CREATEDB NOSUPERUSER NOBYPASSRLS PASSWORD {verifier}"
    ).format(
        verb=sql.SQL("ALTER" if found else "CREATE"),
        role=sql.Identifier(OWNER_ROLE),
        verifier=sql.Literal(verifier.decode()),
    )
    connection.execute(statement)


def _prepare_owned_database(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
        statement = sql.SQL("CREATE DATABASE {} OWNER {}")
        connection.execute(statement.format(sql.Identifier(DATABASE), sql.Identifier(OWNER_ROLE)))
