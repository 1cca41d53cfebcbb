"""Reading from replicas where nobody can miss anything."""

from .routing import Reading, for_read, fresh, note, reading

__all__ = ["Reading", "for_read", "fresh", "note", "reading"]
