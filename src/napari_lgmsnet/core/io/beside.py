"""What the file of a mask is called, and where it lies."""

from __future__ import annotations

from pathlib import Path

from napari_lgmsnet.core.io.atomic import ending
from napari_lgmsnet.core.types import Volume

_SAME = {".nii", ".nii.gz", ".tif", ".tiff", ".nrrd", ".mha"}
_SIMILAR = {
    ".nhdr": ".nrrd", ".mhd": ".mha", ".png": ".png", ".jpg": ".png", ".jpeg": ".png",
    ".zarr": ".tif",
}  # fmt: skip
_HIGHEST_IN_PNG = 2**16 - 1


def beside(source: Path, mask: Volume) -> Path:
    """Return the file for a mask: beside its image, in the same format or the closest to it.

    Parameters
    ----------
    source : pathlib.Path
        The image's file, or the folder of its DICOM series.
    mask : Volume
        What is to be saved; its ``source`` tells whether the image is a DICOM series.

    Returns
    -------
    pathlib.Path
        For ``image.nii.gz`` it is ``image_mask.nii.gz``. A JPEG gets a PNG, since JPEG alters
        labels. A DICOM series gets a file beside its folder: one among the slices would be taken
        for one of them.
    """
    if mask.source.get("format") == "dicom":
        series = len(set(mask.source.get("paths", ()))) > 1
        folder = source if source.is_dir() else source.parent
        if series or source.is_dir():
            return folder.parent / f"{folder.name}_mask.dcm"
        return source.with_name(f"{_stem(source)}_mask.dcm")
    kind = ending(source)
    fallback = ".nii.gz" if mask.ndim_spatial == 3 else ".tif"
    kind = kind if kind in _SAME else _SIMILAR.get(kind, fallback)
    if kind == ".png" and (mask.axes != "YX" or mask.data.max(initial=0) > _HIGHEST_IN_PNG):
        kind = fallback
    stem = _stem(source)
    if stem.lower().endswith(".ome"):
        stem, kind = stem[: -len(".ome")], f".ome{kind}"
    return source.with_name(f"{stem}_mask{kind}")


def free_name(path: Path) -> Path:
    """Return the first of ``mask-2.nii.gz``, ``mask-3.nii.gz``... that no file has."""
    number = 2
    while True:
        other = path.with_name(f"{_stem(path)}-{number}{path.name[len(_stem(path)) :]}")
        if not other.exists():
            return other
        number += 1


def _stem(path: Path) -> str:
    return path.name[: len(path.name) - len(ending(path))]
