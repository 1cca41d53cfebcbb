"""The attacks, in the order in which they are declared."""

from __future__ import annotations

from ..checks import Register

attack = Register("attack")
