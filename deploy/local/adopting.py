"""The local installation for a `manage.py` that was typed without any variables."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.checkout import default_data_dir
from deploy.local.environment import Environment
from deploy.local.errors import LaunchError
from deploy.local.stored import remembered_port

WITHOUT_SERVERS = frozenset({"help", "version", "check", "makemigrations"})
HELP = frozenset({"-h", "--help", "--version"})


def adopt() -> None:
    """Set the variables for this process, or end it with one line."""
    try:
        os.environ.update(local_variables(os.environ, sys.argv[1:]))
    except (LaunchError, PermissionError) as error:
        sys.exit(f"error: {error}")


def local_variables(environ: Mapping[str, str], arguments: Sequence[str]) -> dict[str, str]:
    """The variables of the installation that `make run` made. Raises LaunchError if the command needs it to run."""
    data_dir = default_data_dir(environ)
    port = str(remembered_port(data_dir, "web"))
    environment = Environment(data_dir, {"PORT": port, **environ})
    if _needs_servers(arguments) and not environment.runs():
        raise LaunchError(f"the installation in {data_dir} does not run: {_how_to_start(data_dir, environ)}")
    return environment.variables()


def _needs_servers(arguments: Sequence[str]) -> bool:
    return bool(arguments) and arguments[0] not in WITHOUT_SERVERS and HELP.isdisjoint(arguments)


def _how_to_start(data_dir: Path, environ: Mapping[str, str]) -> str:
    where = f"DATA_DIR={data_dir} " if environ.get("DATA_DIR") else ""
    return f"start it with `{where}make run`, or begin the command with `{where}.venv/bin/python -m deploy.local exec`"
