"""Messages between a program and a process that it started itself.

They are pickled, which is safe here only because both ends are this package, joined by a pipe that
nobody else can write to. Nothing that comes from a file or from a network is ever read this way.
Arrays travel beside the pickle: copying hundreds of megabytes into it would hold Python's lock, and
a window would stand still meanwhile.
"""

from __future__ import annotations

import copyreg
import io
import pickle
import struct
from collections import ChainMap
from types import MappingProxyType
from typing import IO, Any

from napari_lgmsnet.core.model import Model

_COUNT, _SIZE = struct.Struct("<I"), struct.Struct("<Q")
_PART = 1 << 20


def _frozen(items: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(items)


_REDUCERS: dict[type, Any] = {
    MappingProxyType: lambda one: (_frozen, (dict(one),)),
    # Engines stay where they were made.
    Model: lambda one: (Model, (one.network, one.info, one.sha256, one.path)),
}
"""How to take apart what pickle cannot."""


def send(pipe: IO[bytes], message: object) -> None:
    """Write a message.

    Raises
    ------
    OSError
        If the other end is gone.
    """
    buffers: list[pickle.PickleBuffer] = []
    text = io.BytesIO()
    pickler = pickle.Pickler(text, protocol=5, buffer_callback=buffers.append)
    pickler.dispatch_table = ChainMap[type, Any](_REDUCERS, copyreg.dispatch_table)
    pickler.dump(message)
    parts = [text.getbuffer(), *(one.raw() for one in buffers)]
    pipe.write(_COUNT.pack(len(parts)))
    for part in parts:
        pipe.write(_SIZE.pack(part.nbytes))
        for start in range(0, part.nbytes, _PART):
            pipe.write(part[start : start + _PART])
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """Read a message.

    Raises
    ------
    EOFError
        If the other end is gone.
    """
    (count,) = _COUNT.unpack(_exactly(pipe, _COUNT.size))
    text, *buffers = (_exactly(pipe, _SIZE.unpack(_exactly(pipe, 8))[0]) for _ in range(count))
    return pickle.loads(text, buffers=buffers)  # noqa: S301 (of this package's own process)


def _exactly(pipe: IO[bytes], size: int) -> bytearray:
    data = bytearray(size)
    view, done = memoryview(data), 0
    while done < size:
        got = pipe.readinto(view[done : done + _PART])  # type: ignore[attr-defined]
        if not got:
            raise EOFError
        done += got
    return data
