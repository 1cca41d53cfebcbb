"""Pictures that have a size and nothing to see."""

from __future__ import annotations

import struct
import zlib


def png(width: int = 64, height: int = 64) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)) + bytes(64)


def jpeg(width: int = 64, height: int = 64) -> bytes:
    start = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    frame = b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", height, width) + b"\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"
    return start + frame + b"\xff\xd9"


def webp(width: int = 64, height: int = 64) -> bytes:
    sides = b"".join(struct.pack("<I", side - 1)[:3] for side in (width, height))
    return b"RIFF\x1a\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00" + sides
