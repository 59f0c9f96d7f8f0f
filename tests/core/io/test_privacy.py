"""A patient's name, put into every text that a source can carry, comes out in no written file."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.io import WRITABLE, read, write, write_labels
from napari_lgmsnet.core.types import Volume

sitk = pytest.importorskip("SimpleITK")

NAME = "Doe^Jane"
DATA = (np.arange(60).reshape(5, 12) % 3).astype(np.uint8)


def nifti(path: Path) -> None:
    image = nibabel.Nifti1Image(DATA.T, np.eye(4))
    for field in ("descrip", "db_name", "aux_file", "intent_name", "data_type"):
        image.header[field] = NAME.encode()
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", NAME.encode()))
    image.to_filename(path)


def plain_tiff(path: Path) -> None:
    tags = [(code, "s", 0, NAME, True) for code in (315, 33432, 269, 316)]  # artist, copyright...
    tifffile.imwrite(
        path, DATA, description=NAME, software=NAME, extratags=tags, photometric="minisblack",
        metadata=None,
    )  # fmt: skip


def ome_tiff(path: Path) -> None:
    metadata = {"axes": "YX", "Name": NAME, "Description": NAME}
    tifffile.imwrite(path, DATA, ome=True, photometric="minisblack", metadata=metadata)


def png(path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", NAME)
    texts.add_text("Comment", NAME, zip=True)
    texts.add_itxt("Author", NAME)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x013B] = 6, NAME, NAME
    Image.fromarray(DATA).save(path, pnginfo=texts, exif=exif)


def jpeg(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 3, NAME
    Image.fromarray(DATA).save(path, exif=exif, comment=NAME.encode())


def nrrd(path: Path) -> None:
    image = sitk.GetImageFromArray(DATA)
    for key in ("patient", "NRRD_content"):
        image.SetMetaData(key, NAME)
    sitk.WriteImage(image, str(path))


def mha(path: Path) -> None:
    nrrd(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"ObjectType", f"Comment = {NAME}\nObjectType".encode(), 1))


SOURCES = {
    ".nii": nifti, ".tif": plain_tiff, ".ome.tif": ome_tiff, ".png": png, ".jpg": jpeg,
    ".nrrd": nrrd, ".mha": mha,
}  # fmt: skip


def texts_in(path: Path) -> Iterator[bytes]:
    """Return everything in a file, packed parts unpacked."""
    content = path.read_bytes()
    yield content
    if content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)
    for start in range(len(content)):
        if content[start : start + 1] in (b"\x78", b"\x1f"):  # where a packed part may begin
            try:
                yield zlib.decompressobj(47).decompress(content[start:])
            except zlib.error:
                continue


def holds_the_name(path: Path) -> bool:
    return any(b"Doe" in text or "Doe".encode("utf-16-le") in text for text in texts_in(path))


@pytest.mark.parametrize("kind", SOURCES)
def test_name_in_the_source_is_left_behind(tmp_path: Path, kind: str) -> None:
    source = tmp_path / f"{NAME}{kind}"
    SOURCES[kind](source)
    assert holds_the_name(source)
    volume = read(source)
    assert NAME in volume.name
    for ending in WRITABLE:
        target = tmp_path / f"out{ending}"
        for writer in (write, write_labels):
            labels = np.asarray(volume.data) % 3
            try:
                writer(target, volume.with_data(labels, volume.axes), overwrite=True)
            except InputError:
                assert ending in (".dcm", ".dicom")
                continue
            assert not holds_the_name(target), (kind, ending)


@pytest.mark.parametrize("ending", [".tif", ".png", ".nrrd", ".mha", ".nii.gz"])
def test_names_of_classes_are_not_names_of_patients_but_stay_out_too(
    tmp_path: Path, ending: str
) -> None:
    from napari_lgmsnet.core.info import named_classes

    volume = Volume.from_array(DATA, "YX", name=NAME)
    write_labels(tmp_path / f"a{ending}", volume, classes=named_classes([NAME, NAME]))
    assert not holds_the_name(tmp_path / f"a{ending}")


def test_error_names_the_file_and_nothing_of_its_texts(tmp_path: Path) -> None:
    path = tmp_path / "scan.nii"
    nifti(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError) as caught:
        read(path)
    assert "Doe" not in str(caught.value)


def test_nothing_is_logged(tmp_path: Path, caplog: Any) -> None:
    for kind, make in SOURCES.items():
        make(tmp_path / f"source{kind}")
    caplog.set_level("DEBUG")
    caplog.clear()
    for kind in SOURCES:
        volume = read(tmp_path / f"source{kind}")
        write(tmp_path / f"{kind}.nii.gz", volume.with_data(np.asarray(volume.data), volume.axes))
    assert "Doe" not in caplog.text
