"""What is generated once for a DATA_DIR and kept there: secrets and ports."""

import base64
import json
import os
import secrets
from pathlib import Path

from deploy.local.errors import LaunchError
from deploy.local.system import port_is_free, write_private

DEFAULT_PORTS = {"postgres": 54320, "valkey": 63790, "stripe": 12111, "web": 8000}
PORTS_TRIED = 200
PASSWORDS = ("postgres", "owner", "login", "operator", "valkey", "secret_key", "stripe")


def load_secrets(data_dir: Path) -> dict[str, str]:
    """The secrets of this DATA_DIR, generated on the first call."""
    path = data_dir / "secrets.json"
    known = _read(path)
    if known and path.stat().st_uid != os.geteuid():
        raise _belongs_to_another(path)
    generated = {name: secrets.token_urlsafe(32) for name in PASSWORDS}
    generated["master_keys"] = f"1:{base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}"
    complete = generated | known
    if complete != known:
        write_private(path, json.dumps(complete, indent=2) + "\n")
    return complete


def remembered_port(data_dir: Path, server: str) -> int:
    """The port that the server had last, or its default."""
    return _ports(data_dir / "ports.json").get(server, DEFAULT_PORTS[server])


def choose_port(data_dir: Path, server: str) -> int:
    """The remembered port, or the next free one, which is remembered."""
    wished = remembered_port(data_dir, server)
    port = next((port for port in range(wished, wished + PORTS_TRIED) if port_is_free(port)), None)
    if port is None:
        raise LaunchError(f"no free port for {server} from {wished} on: delete {data_dir / 'ports.json'}")
    remember_port(data_dir, server, port)
    return port


def remember_port(data_dir: Path, server: str, port: int) -> None:
    """Keep the port for the next start."""
    path = data_dir / "ports.json"
    known = _ports(path)
    if known.get(server) != port:
        write_private(path, json.dumps(known | {server: port}, indent=2) + "\n")


def _ports(path: Path) -> dict[str, int]:
    """The ports by server; a file that cannot be read is set aside, since every port in it can be found anew."""
    try:
        return {server: int(port) for server, port in _read(path).items()}
    except (LaunchError, ValueError):
        if path.stat().st_uid != os.geteuid():
            raise
        path.replace(path.with_name(f"{path.name}.broken"))
        return {}


def _read(path: Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): str(value) for name, value in content.items()}
    except FileNotFoundError:
        return {}
    except PermissionError:
        raise _belongs_to_another(path) from None
    except (ValueError, AttributeError):
        raise LaunchError(f"{path} is damaged: restore it, or remove {path.parent} to begin anew") from None


def _belongs_to_another(path: Path) -> LaunchError:
    return LaunchError(f"{path} belongs to another user: run as that user, or set DATA_DIR to a directory of your own")
