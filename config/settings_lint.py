"""Settings for tools that read the code and touch no server."""

import os

os.environ.setdefault("DATABASE_URL", "postgres://nobody:nothing@127.0.0.1:1/none")
os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:1/0")
os.environ.setdefault("SECRET_KEY", "only for reading code")
os.environ.setdefault("MASTER_KEYS", f"1:{'A' * 43}=")

from .settings import *  # noqa: F403
