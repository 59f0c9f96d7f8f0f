"""What the file of a mask is called, and where it lies."""

from __future__ import annotations

from pathlib import Path

from napari_lgmsnet.core.io.atomic import ending
from napari_lgmsnet.core.types import Volume

_OF_MASKS = {
    ".nii": ".nii", ".nii.gz": ".nii.gz", ".nrrd": ".nrrd", ".nhdr": ".nrrd", ".mha": ".mha",
    ".mhd": ".mha", ".tif": ".tif", ".tiff": ".tiff", ".png": ".png", ".jpg": ".png",
    ".jpeg": ".png",
}  # fmt: skip
_FOR_NUMBERS = {".png": ".tif", ".dcm": ".nii.gz"}  # these hold no fractions
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
        return source.with_name(f"{_split(source)[0]}_mask.dcm")
    fallback = ".nii.gz" if mask.ndim_spatial == 3 else ".tif"
    fits_png = mask.axes == "YX" and mask.data.max(initial=0) <= _HIGHEST_IN_PNG
    if not fits_png and _OF_MASKS.get(ending(source)) == ".png":
        return source.with_name(f"{_split(source)[0]}_mask{fallback}")
    return source.with_name(name_of_mask(source, fallback))


def name_of_mask(source: Path, fallback: str) -> str:
    """Return what a mask is called by the name of its image alone.

    Parameters
    ----------
    source : pathlib.Path
        The image's file.
    fallback : str
        The ending for images of formats that no mask is written in.
    """
    stem, kind = _split(source)
    own, ome = ending(source), kind.startswith(".ome")
    return f"{stem}_mask{'.ome' * ome}{_OF_MASKS.get(own, fallback)}"


def name_of_probability(mask: Path) -> str:
    """Return what probabilities are called that belong to a mask, in a format that holds them."""
    stem, kind = _split(mask)
    return f"{stem.removesuffix('_mask')}_probability{_FOR_NUMBERS.get(kind, kind)}"


def free_name(path: Path) -> Path:
    """Return the first of ``mask-2.nii.gz``, ``mask-3.nii.gz``... that no file has."""
    stem, kind = _split(path)
    number = 2
    while True:
        other = path.with_name(f"{stem}-{number}{path.name[-len(kind) :] if kind else ''}")
        if not other.exists():
            return other
        number += 1


def _split(path: Path) -> tuple[str, str]:
    """Return a file's name without its ending, and the ending in lower case; .ome.tif is one."""
    kind = ending(path)
    stem = path.name[: len(path.name) - len(kind)]
    if kind in (".tif", ".tiff") and stem.lower().endswith(".ome"):
        return stem[: -len(".ome")], f".ome{kind}"
    return stem, kind
