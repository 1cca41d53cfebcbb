"""The embedded Valkey: cache, broker and limits of one DATA_DIR, on a TCP port of this machine."""

import contextlib
import subprocess
import time
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy.local.binaries import find_valkey
from deploy.local.errors import LaunchError, PortTakenError
from deploy.local.system import last_line_with, make_directory, port_is_free, write_private

START_SECONDS = 20
STOP_SECONDS = 20


class EmbeddedValkey:
    """One server with its files in DATA_DIR/valkey."""

    def __init__(self, data_dir: Path, *, password: str) -> None:
        self._directory = data_dir / "valkey"
        self._password = password

    @property
    def log(self) -> Path:
        """What the server writes."""
        return self._directory / "server.log"

    @property
    def _settings(self) -> Path:
        return self._directory / "valkey.conf"

    def runs_on(self, port: int) -> bool:
        """Whether our own server, which alone knows the password, answers there."""
        return self._answer(port) is not None

    def running_port(self) -> int | None:
        """The port of our own server, if it runs."""
        try:
            line = next(line for line in self._settings.read_text().splitlines() if line.startswith("port "))
            port = int(line.split()[1])
        except (OSError, ValueError, IndexError, StopIteration):
            return None
        return port if self.runs_on(port) else None

    def start(self, port: int, *, durable: bool) -> bool:
        """Start the server; False when it was running already."""
        if self.running_port() is not None:
            return False
        if not port_is_free(port):
            raise PortTakenError(f"port {port}, meant for Valkey, is in use: stop what listens there")
        make_directory(self._directory)
        write_private(self._settings, self._configuration(port, durable=durable))
        self._launch(self._settings)
        self._wait_until_ready(port)
        return True

    def stop(self, port: int) -> None:
        """Write what is to be kept and end the server."""
        if not self.runs_on(port):
            return
        with self._client(port) as client, contextlib.suppress(redis.RedisError):
            client.shutdown()
        deadline = time.monotonic() + STOP_SECONDS
        while not port_is_free(port):
            if time.monotonic() > deadline:
                raise LaunchError(f"Valkey does not stop: see {self.log}")
            time.sleep(0.02)

    def _answer(self, port: int) -> bool | None:
        """True when it is ready, False while it still loads its data, None when it is not our server."""
        with self._client(port) as client:
            try:
                return bool(client.ping())
            except redis.BusyLoadingError:
                return False
            except redis.RedisError:
                return None

    def _client(self, port: int) -> redis.Redis:
        return redis.Redis(
            host="127.0.0.1",
            port=port,
            password=self._password,
            socket_connect_timeout=2,
            socket_timeout=2,
            retry=Retry(NoBackoff(), 0),
        )

    def _configuration(self, port: int, *, durable: bool) -> str:
        directory = str(self._directory).replace("\\", "\\\\").replace('"', '\\"')
        lines = [
            "bind 127.0.0.1",
            f"port {port}",
            f'requirepass "{self._password}"',
            f'dir "{directory}"',
            f'logfile "{directory}/server.log"',
            "maxmemory-policy noeviction",
            'save ""',
            f"appendonly {'yes' if durable else 'no'}",
        ]
        return "\n".join(lines) + "\n"

    def _launch(self, configuration: Path) -> None:
        pid_file = str(self._directory / "valkey.pid")
        command = [find_valkey(), str(configuration), "--daemonize", "yes", "--pidfile", pid_file]
        try:
            done = subprocess.run(
                command, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise LaunchError(f"cannot run {command[0]}: {error.strerror}") from None
        if done.returncode != 0:
            reason = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
            raise LaunchError(f"Valkey does not start: {reason}")

    def _wait_until_ready(self, port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._answer(port):
                return
            time.sleep(0.02)
        reason = last_line_with(self.log, "#") or "it wrote nothing"
        raise LaunchError(f"Valkey does not start: {reason} (see {self.log})")
