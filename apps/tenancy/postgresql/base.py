"""The PostgreSQL backend: every statement runs in the current context, or not at all."""

from __future__ import annotations
