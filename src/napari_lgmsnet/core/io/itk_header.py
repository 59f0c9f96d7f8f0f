"""What the text headers of NRRD and MetaImage say that ITK passes over."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from napari_lgmsnet.core.errors import FileFormatError
from napari_lgmsnet.core.io.damage import damaged

_METAIMAGE = re.compile(rb"\s*(Comment|ObjectType|ObjectSubType|NDims|Name|ID)\s*=", re.IGNORECASE)
_LONGEST = 2**20
_CHUNK = 2**20
_MILLIMETRES = {
    "m": 1000.0, "cm": 10.0, "mm": 1.0, "millimeter": 1.0, "millimeters": 1.0,
    "um": 1e-3, "µm": 1e-3, "micron": 1e-3, "microns": 1e-3, "micrometer": 1e-3, "nm": 1e-6,
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """A header's fields.

    Parameters
    ----------
    nrrd : bool
        NRRD, otherwise MetaImage.
    fields : dict of str to str
        Names in lower case. Of NRRD's ``key:=value`` pairs, the keys have ``:`` at their end.
    end : int
        Where the data start in the file, if they are in the same one.
    """

    nrrd: bool
    fields: dict[str, str]
    end: int

    @property
    def kinds(self) -> list[str]:
        """Return what NRRD calls the kind of each axis."""
        return self.fields.get("kinds", "").split()

    @property
    def diffusion(self) -> bool:
        """Return whether it is a diffusion series."""
        keys = self.fields
        return keys.get("modality:") == "DWMRI" or any(key.startswith("dwmri_") for key in keys)

    @property
    def sized(self) -> bool:
        """Return whether it gives a voxel size."""
        names = ("space directions", "spacings", "elementspacing", "elementsize")
        return any(name in self.fields for name in names)

    @property
    def millimetres(self) -> float:
        """Return the length of its unit."""
        names = ("space units", "units", "distanceunits")
        text = " ".join(self.fields.get(name, "") for name in names)
        known = [_MILLIMETRES[unit] for unit in re.split(r'[\s"]+', text) if unit in _MILLIMETRES]
        return known[0] if known else 1.0

    def check_data(self, path: Path) -> None:
        """Refuse a file whose data are missing or fail their checksum, which ITK does not look at.

        Raises
        ------
        FileFormatError
        """
        place = self.fields.get("data file", self.fields.get("elementdatafile", "LOCAL"))
        if place != "LOCAL":
            # Lists and patterns of files are left to ITK.
            if not re.search(r"[%\s]", place) and not (path.parent / place).is_file():
                raise FileFormatError(
                    f'"{path}" is a header only, and its data "{place}" are missing: put them '
                    "into the same folder"
                )
            return
        gzip = self.fields.get("encoding", "").lower() in ("gz", "gzip")
        packed = self.fields.get("compresseddata", "").lower() == "true"
        skipped = "byte skip" in self.fields or "line skip" in self.fields
        if (gzip or packed) and not skipped:
            # 32: either of the two wrappings that the formats use.
            stream = zlib.decompressobj(32 + zlib.MAX_WBITS)
            try:
                with path.open("rb") as file:
                    file.seek(self.end)
                    while not stream.eof and (part := file.read(_CHUNK)):
                        while part:
                            stream.decompress(part, 16 * _CHUNK)
                            part = stream.unconsumed_tail
            except zlib.error as error:
                raise damaged(path, "an NRRD or MetaImage file", error) from error
            if not stream.eof:
                raise damaged(path, "an NRRD or MetaImage file", EOFError("its data end early"))


def is_nrrd(start: bytes) -> bool:
    """Tell whether a file that begins so is NRRD."""
    return start.startswith(b"NRRD000")


def is_metaimage(start: bytes) -> bool:
    """Tell whether a file that begins so is MetaImage."""
    return _METAIMAGE.match(start) is not None


def read_header(path: Path) -> Header:
    """Read the text at the beginning of a file."""
    with path.open("rb") as file:
        start = file.read(_LONGEST)
    nrrd = is_nrrd(start)
    # NRRD's header ends with an empty line, MetaImage's with the line that names the data.
    pattern = rb"\r?\n\r?\n" if nrrd else rb"(?im)^\s*ElementDataFile\s*=.*\n?"
    match = re.search(pattern, start)
    end = match.end() if match else len(start)
    fields = {}
    for line in start[:end].decode("utf-8", "replace").splitlines():
        key, separator, value = line.partition(":" if nrrd else "=")
        if separator and not line.startswith("#"):
            if value.startswith("="):
                key, value = f"{key}:", value[1:]
            fields[key.strip().lower()] = value.strip()
    return Header(nrrd, fields, end)
