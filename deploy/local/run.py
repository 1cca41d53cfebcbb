"""`make run`: servers, set-up and the processes of the Procfile, from one command to Ctrl-C."""

import contextlib
import http.client
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from honcho.environ import parse_procfile  # type: ignore[import-untyped]

from deploy.checkout import PROJECT_ROOT
from deploy.local.environment import Environment
from deploy.local.errors import LaunchError
from deploy.local.lease import Lease
from deploy.local.reload import reloading
from deploy.local.revival import kept_alive
from deploy.local.stored import remember_port
from deploy.local.supervisor import Supervisor
from deploy.local.system import open_lock, port_is_free, try_lock

OWNER_VARIABLES = ("DATABASE_OWNER_URL", "DATABASE_OPERATOR_URL")
MAY_OWN = frozenset({"provisioner"})
"""The processes that change schemas and roles; no other gets the variables for it."""

HEALTH_SECONDS = 120
SET_UP = (
    ("preparing roles", ("setup_roles",)),
    ("migrating schemas", ("migrate_schemas",)),
    ("warming schemas", ("replenish_schemas",)),
    ("compiling the translations", ("build_messages",)),
    ("compiling the stylesheet", ("build_css",)),
    ("collecting static files", ("collectstatic", "--noinput", "-v", "0")),
)
DEMO = ("planting demo data", ("seed_demo",))
DEMO_TENANTS = ("acme", "globex", "initech")


@dataclass
class Progress:
    """Lines with the seconds since the start."""

    began: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """The seconds since the start."""
        return time.monotonic() - self.began

    def say(self, text: str) -> None:
        """Print one line."""
        print(f"[{self.seconds():4.1f} s] {text}", flush=True)


def run(data_dir: Path) -> int:
    """Run everything until Ctrl-C; the exit code."""
    progress = Progress()
    environment = Environment(data_dir, say=progress.say)
    with _only_one(environment.data_dir):
        port = _free_web_port(environment)
        remember_port(environment.data_dir, "web", port)
        environment.choose_stripe_port()
        commands = _procfile(with_stripe="STRIPE_SANDBOX_PORT" in environment.variables())
        if os.environ.get("RELOAD"):
            commands = reloading(commands)
        progress.say("starting PostgreSQL and Valkey")
        with Lease(environment, keep_found=False):
            variables = process_environment(environment)
            _set_up(variables, environment.data_dir, progress)
            progress.say(f"starting {', '.join(commands)}")
            with kept_alive(environment, progress.say):
                return _supervise(commands, variables, port, progress)


def process_environment(environment: Environment) -> dict[str, str]:
    """Our own environment with the application's variables, and its programs first on PATH."""
    programs = sysconfig.get_path("scripts")
    return {
        **os.environ,
        **environment.variables(),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PATH": os.pathsep.join([programs, os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
    }


@contextlib.contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    path = data_dir / "locks" / "run"
    lock = open_lock(path)
    try:
        if not try_lock(lock):
            pid = path.read_text().strip()
            raise LaunchError(f"already running on {data_dir} (process {pid}): stop that, or set DATA_DIR")
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        yield
    finally:
        os.close(lock)


def _free_web_port(environment: Environment) -> int:
    value = environment.variables()["PORT"]
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 2**16):
        raise LaunchError(f"PORT is {value!r}: set it to a number from 1 to 65535")
    port = int(value)
    if not port_is_free(port, "0.0.0.0") or (port_is_free(0, "::1") and not port_is_free(port, "::1")):
        raise LaunchError(f"port {port} is in use: set PORT=… to another, such as PORT={port + 1}")
    return port


def _procfile(*, with_stripe: bool) -> dict[str, str]:
    try:
        text = (PROJECT_ROOT / "Procfile").read_text(encoding="utf-8")
    except OSError as error:
        raise LaunchError(f"cannot read {PROJECT_ROOT / 'Procfile'}: {error.strerror}") from None
    commands = dict(parse_procfile(text).processes)
    return commands if with_stripe else {name: line for name, line in commands.items() if name != "stripe"}


def _set_up(variables: Mapping[str, str], data_dir: Path, progress: Progress) -> None:
    steps = [*SET_UP, DEMO] if variables["ENVIRONMENT"] == "development" else SET_UP
    for text, command in steps:
        progress.say(text)
        _manage(command, variables, data_dir / "logs" / f"{command[0]}.log")


def _manage(command: tuple[str, ...], variables: Mapping[str, str], log: Path) -> None:
    with log.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=PROJECT_ROOT,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        raise LaunchError(f"manage.py {command[0]} failed: {_last_error(log)} (all of it: {log})")


def _last_error(log: Path) -> str:
    """The error of a command: its last line that is neither indented nor a detail of PostgreSQL."""
    lines = [line.rstrip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    details = (" ", "\t", "DETAIL:", "HINT:", "LINE ", "CONTEXT:")
    errors = [line for line in lines if not line.startswith(details)]
    return (errors or lines or ["it printed nothing"])[-1]


def _supervise(commands: Mapping[str, str], variables: Mapping[str, str], port: int, progress: Progress) -> int:
    demo = variables["ENVIRONMENT"] == "development"
    stripe = variables["STRIPE_API_HOST"] if "stripe" in commands else None
    supervisor = Supervisor(lambda: _announce(port, progress, demo=demo, stripe=stripe))
    for name, command in commands.items():
        allowed = dict(variables) if name in MAY_OWN else _without_ownership(variables)
        supervisor.add_process(name, command, env=allowed, cwd=str(PROJECT_ROOT))
    return supervisor.supervise()


def _without_ownership(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name not in OWNER_VARIABLES}


def _announce(port: int, progress: Progress, *, demo: bool, stripe: str | None) -> None:
    """Wait until the application answers, and say where."""
    deadline = time.monotonic() + HEALTH_SECONDS
    while not _is_healthy(port):
        if time.monotonic() > deadline:
            progress.say(f"still no answer from http://127.0.0.1:{port}/health: see the lines above")
            return
        time.sleep(0.2)
    lines = ["", f"Tenantry is up after {progress.seconds():.1f} s", f"  http://localhost:{port}/"]
    lines += _demo_lines(port) if demo else []
    lines += [f"  {stripe}/".ljust(39) + "the local Stripe: objects, events, clocks"] if stripe else []
    print("\n".join([*lines, "Ctrl-C stops everything", ""]), flush=True)


def _demo_lines(port: int) -> list[str]:
    lines = [
        f"  http://{tenant}.localhost:{port}/".ljust(39) + f'owner@{tenant}.example / "demo password for {tenant}"'
        for tenant in DEMO_TENANTS
    ]
    return [*lines, f"  http://localhost:{port}/dev/inbox/".ljust(39) + "all e-mail that is sent"]


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
