"""Where a folder lies: on this computer's disks, or on a network."""

from __future__ import annotations

import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.sshfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
    "smb3", "smbfs",
}  # fmt: skip


def on_network(folder: Path, mounts: str | None = None) -> bool:
    """Tell whether other computers can write to a folder's disk.

    SQLite's write-ahead log needs memory that all programs share, which there is on one computer
    only. Where this cannot be told (macOS), the disk is taken for a local one.

    Parameters
    ----------
    folder : Path
    mounts : str, optional
        Text like that of ``/proc/self/mountinfo``, which is read if it is not given.
    """
    place = folder.resolve()
    if str(place).startswith("\\\\"):  # a share on Windows
        return True
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return False
    best, kind = -1, ""
    for line in mounts.splitlines():
        left, separator, right = line.partition(" - ")
        fields = left.split(" ")
        if not separator or len(fields) < 5:
            continue
        # Blanks in names are written as \040.
        point = Path(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), fields[4]))
        # Of two mounts on one place, the later one is seen.
        if place.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), right.split(" ")[0]
    return kind in _NETWORK
