"""A file to which records are only ever appended, readable after any interruption.

A record is a frame of 28 bytes and its content. The frame holds, little-endian: the letters LGJ1,
the content's CRC-32 (4 bytes), its length and its number (8 bytes each), and the CRC-32 of the 24
bytes before. Where a record is damaged, the next whole one is looked for.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from napari_lgmsnet.core.io.atomic import flush_folder

MAGIC = b"LGJ1"
_FRAME = struct.Struct("<4sIQQI")
_PART = struct.Struct("<4sIQQ")


@dataclass(frozen=True)
class Scan:
    """What a journal holds.

    Parameters
    ----------
    records : list of (int, bytes)
        Number and content of every whole record, in the order of the file.
    torn : int
        Bytes at the end that are no whole record: what was being written when the program or the
        computer stopped.
    damaged : list of int
        Places in the file where something else than a record stands between records.
    """

    records: list[tuple[int, bytes]] = field(default_factory=list)
    torn: int = 0
    damaged: list[int] = field(default_factory=list)


def scan(path: Path) -> Scan:
    """Read a journal as far as it is whole.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    data = path.read_bytes()
    result = Scan()
    place = torn = 0
    while place < len(data):
        found = _record_at(data, place)
        if found is not None:
            number, content = found
            result.records.append((number, content))
            place += _FRAME.size + len(content)
            continue
        following = _next_record(data, place + 1)
        if following is None:
            torn = len(data) - place
            break
        result.damaged.append(place)
        place = following
    return Scan(result.records, torn, result.damaged)


class JournalWriter:
    """A new journal, open for appending.

    Parameters
    ----------
    path : Path
        Must not exist.
    head : bytes
        Content of the first record, which gets the number 0.

    Raises
    ------
    OSError
        If it cannot be made or written; then there is no such file.
    """

    def __init__(self, path: Path, head: bytes) -> None:
        self.path = path
        self.size = 0
        self.broken = False
        # Unbuffered: what write() has taken survives the end of this process.
        self._file = path.open("xb", buffering=0)
        try:
            self.append([(0, head)])
        except OSError:
            self.close()
            path.unlink(missing_ok=True)
            raise
        flush_folder(path.parent)

    def append(self, records: list[tuple[int, bytes]]) -> None:
        """Write records to the disk, all of them or none.

        Raises
        ------
        OSError
            If the disk is full or gone. The file is then as before, or ``broken``: to be
            left alone, and a new one begun.
        """
        data = memoryview(b"".join(_framed(number, content) for number, content in records))
        try:
            done = 0
            while done < len(data):
                done += self._file.write(data[done:]) or 0
            os.fsync(self._file.fileno())
        except OSError:
            self.broken = True
            with contextlib.suppress(OSError):
                self._file.truncate(self.size)
                self._file.seek(self.size)
                self.broken = False
            raise
        self.size += len(data)

    def close(self) -> None:
        """Close the file; everything is on the disk already."""
        self._file.close()


def _framed(number: int, content: bytes) -> bytes:
    part = _PART.pack(MAGIC, zlib.crc32(content), len(content), number)
    return part + struct.pack("<I", zlib.crc32(part)) + content


def _record_at(data: bytes, place: int) -> tuple[int, bytes] | None:
    if len(data) - place < _FRAME.size:
        return None
    magic, check, length, number, own_check = _FRAME.unpack_from(data, place)
    if magic != MAGIC or own_check != zlib.crc32(data[place : place + _PART.size]):
        return None
    content = data[place + _FRAME.size : place + _FRAME.size + length]
    if len(content) != length or zlib.crc32(content) != check:
        return None
    return number, content


def _next_record(data: bytes, place: int) -> int | None:
    while (place := data.find(MAGIC, place)) >= 0:
        if _record_at(data, place) is not None:
            return place
        place += 1
    return None
