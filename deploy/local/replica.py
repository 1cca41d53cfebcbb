"""A streaming replica of the embedded PostgreSQL, for tests and measurements of what is read from one."""

import shutil
from functools import cached_property
from pathlib import Path

import psycopg

from deploy.local.postgres import EmbeddedPostgres
from deploy.local.stored import PORTS_TRIED, load_secrets, remembered_port
from deploy.local.system import make_directory, port_is_free, write_private

FIRST_PORT = 54620


class EmbeddedReplica(EmbeddedPostgres):
    """A copy of the cluster of a DATA_DIR, made anew at each start, that follows it until it is stopped."""

    def __init__(self, data_dir: Path) -> None:
        passwords = load_secrets(data_dir)
        super().__init__(data_dir, superuser_password=passwords["postgres"], owner_password=passwords["owner"])
        self._primary_port = remembered_port(data_dir, "postgres")

    @cached_property
    def directory(self) -> Path:
        """Beside the cluster that it follows."""
        return super().directory.with_name("replica")

    def follow(self, *, durable: bool) -> int:
        """Copy the running cluster and start the copy; its port."""
        self.stop()
        self._copy()
        port = next(port for port in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED) if port_is_free(port))
        self._configure(port, durable=durable)
        self._launch()
        return port

    def administrate(self, port: int) -> psycopg.Connection[tuple[object, ...]]:
        """A connection of the superuser, who alone may hold the replay up."""
        return self._connect(port)

    def remove(self) -> None:
        """Stop it and take it off the disk."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        self._password_file.unlink(missing_ok=True)

    @property
    def _password_file(self) -> Path:
        return self.directory.with_name("replica.password")

    def _copy(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        make_directory(self.directory)
        self._account.own(self.directory)
        write_private(self._password_file, f"127.0.0.1:*:*:postgres:{self._superuser_password}\n")
        self._account.own(self._password_file)
        primary = f"host=127.0.0.1 port={self._primary_port} user=postgres passfile={self._password_file}"
        options = ["--wal-method=stream", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        self._run("pg_basebackup", "-D", str(self.directory), "-d", primary, *options)
