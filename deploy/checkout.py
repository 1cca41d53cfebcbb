"""A checkout and its local installation, as far as that takes no library of development."""

import os
from collections.abc import Mapping
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[1]
REQUIRED = ("SECRET_KEY", "MASTER_KEYS", "DATABASE_URL", "REDIS_URL")


def default_data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """DATA_DIR, relative to the project, or its directory `var`."""
    return (PROJECT_ROOT / Path(environ.get("DATA_DIR") or "var").expanduser()).resolve()


def is_left_to_checkout(environ: Mapping[str, str]) -> bool:
    """Whether nothing says which installation is meant, and the checkout has one of its own."""
    says_nothing = (
        environ.get("DJANGO_SETTINGS_MODULE", "config.settings") == "config.settings"
        and environ.get("ENVIRONMENT", "development") == "development"
        and not any(environ.get(name) for name in REQUIRED)
    )
    return says_nothing and (default_data_dir(environ) / "secrets.json").exists()
