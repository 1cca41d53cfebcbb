"""`python -m deploy.local run | stop | exec CMD… | test-servers`."""

import argparse
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from deploy.checkout import default_data_dir
from deploy.local.environment import Environment, start_servers, stop_servers
from deploy.local.errors import LaunchError
from deploy.local.lease import Lease
from deploy.local.run import process_environment, run
from deploy.local.stopping import stop_run


def main() -> int:
    """Do what the command line says; the exit code."""
    arguments = _parse()
    data_dir = default_data_dir()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _terminate)
    try:
        return _dispatch(arguments, data_dir)
    except LaunchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"error: {error.filename}: permission denied: set DATA_DIR to a directory of your own", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start everything, until Ctrl-C")
    commands.add_parser("stop", help="stop everything that runs on DATA_DIR")
    execute = commands.add_parser("exec", help="run a command with the servers and their variables")
    execute.add_argument("arguments", nargs=argparse.REMAINDER, metavar="CMD")
    commands.add_parser("test-servers", help="start the servers of the tests and print their variables")
    return parser.parse_args()


def _dispatch(arguments: argparse.Namespace, data_dir: Path) -> int:
    if arguments.command == "run":
        return run(data_dir)
    if arguments.command == "exec":
        return _execute(arguments.arguments, data_dir)
    if arguments.command == "test-servers":
        return _print_test_variables(data_dir)
    stop_run(data_dir)
    for directory in (data_dir, data_dir / "test"):
        stop_servers(directory)
    return 0


def _execute(command: list[str], data_dir: Path) -> int:
    if not command:
        raise LaunchError("exec needs a command: python -m deploy.local exec CMD…")
    environment = Environment(data_dir)
    with Lease(environment, keep_found=True):
        try:
            process = subprocess.Popen(command, env=process_environment(environment))
        except OSError as error:
            raise LaunchError(f"cannot run {command[0]}: {error.strerror}") from None
        # The terminal sends Ctrl-C to the command as well, which may have a use for it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda number, frame: process.terminate())
        code = process.wait()
    return code if code >= 0 else 128 - code


def _print_test_variables(data_dir: Path) -> int:
    for name, value in start_servers(data_dir / "test", durable=False).items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
