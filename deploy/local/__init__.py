"""Real PostgreSQL and Valkey servers for development and tests, without Docker or root."""

from deploy.local.environment import start_servers, stop_servers
from deploy.local.errors import LaunchError

__all__ = ["LaunchError", "start_servers", "stop_servers"]
