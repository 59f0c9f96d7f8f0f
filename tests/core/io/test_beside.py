from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from napari_lgmsnet.core.io.beside import beside, free_name, name_of_probability
from napari_lgmsnet.core.types import Volume

FLAT = Volume.from_array(np.zeros((4, 5), np.uint8), "YX")
SOLID = Volume.from_array(np.zeros((3, 4, 5), np.uint8), "ZYX")


@pytest.mark.parametrize(
    ("source", "mask", "expected"),
    [
        ("image.nii.gz", SOLID, "image_mask.nii.gz"),
        ("Case 1.NII", SOLID, "Case 1_mask.nii"),
        ("image.png", FLAT, "image_mask.png"),
        ("photo.JPEG", FLAT, "photo_mask.png"),
        ("image.png", SOLID, "image_mask.nii.gz"),
        ("image.png", Volume.from_array(np.full((4, 5), 70_000), "YX"), "image_mask.tif"),
        ("stack.tiff", SOLID, "stack_mask.tiff"),
        ("cells.ome.tif", SOLID, "cells_mask.ome.tif"),
        ("scan.nrrd", SOLID, "scan_mask.nrrd"),
        ("scan.nhdr", SOLID, "scan_mask.nrrd"),
        ("scan.mhd", SOLID, "scan_mask.mha"),
        ("large.zarr", SOLID, "large_mask.nii.gz"),  # OME-Zarr has an origin, TIFF has none
        ("cells.OME.TIFF", FLAT, "cells_mask.ome.tiff"),
        ("cells.czi", SOLID, "cells_mask.nii.gz"),
        ("cells.czi", FLAT, "cells_mask.tif"),
    ],
)
def test_name(source: str, mask: Volume, expected: str) -> None:
    assert beside(Path("folder") / source, mask) == Path("folder") / expected


def test_dicom_series_gets_a_file_beside_its_folder(tmp_path: Path) -> None:
    def made_for(*files: str) -> Volume:
        paths = tuple(tmp_path / "series 7" / name for name in files)
        source = {"format": "dicom", "path": tmp_path, "paths": paths}
        return Volume(SOLID.data, "ZYX", np.eye(4), "mm", "scan", MappingProxyType(source))

    folder = tmp_path / "series 7"
    folder.mkdir()
    expected = tmp_path / "series 7_mask.dcm"
    assert beside(folder, made_for("1.dcm", "2.dcm")) == expected
    assert beside(folder / "1.dcm", made_for("1.dcm", "2.dcm")) == expected
    assert beside(folder, made_for("1.dcm")) == expected
    multi = beside(folder / "all.dcm", made_for("all.dcm", "all.dcm"))
    assert multi == folder / "all_mask.dcm"


def test_free_name(tmp_path: Path) -> None:
    path = tmp_path / "v1.2 mask.nii.gz"
    assert free_name(path).name == "v1.2 mask-2.nii.gz"
    free_name(path).touch()
    assert free_name(path).name == "v1.2 mask-3.nii.gz"
    assert free_name(tmp_path / "cells_mask.ome.tif").name == "cells_mask-2.ome.tif"


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ("a_mask.nrrd", "a_probability.nrrd"),
        ("a_mask.ome.tif", "a_probability.ome.tif"),
        ("mine.png", "mine_probability.tif"),
        ("a_mask.dcm", "a_probability.nii.gz"),
    ],
)
def test_name_of_probabilities(mask: str, expected: str) -> None:
    assert name_of_probability(Path("folder") / mask) == expected
