from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_lgmsnet.core.errors import FileFormatError, InputError
from napari_lgmsnet.core.io import read, read_labels, write, write_labels
from napari_lgmsnet.core.io.picture import label_palette
from napari_lgmsnet.core.types import Volume

GREY = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=-1)


def picture(data: np.ndarray, path: Path, mode: str | None = None) -> Path:
    image = Image.fromarray(data)
    (image.convert(mode) if mode else image).save(path)
    return path


@pytest.mark.parametrize(
    ("data", "axes"),
    [
        (GREY, "YX"),
        (GREY.astype(np.uint16) * 257, "YX"),
        (COLOUR, "YXC"),
        (np.concatenate([COLOUR, 255 - GREY[..., None]], axis=-1), "YXC"),
    ],
    ids=["grey", "16-bit", "RGB", "RGBA"],
)
def test_read_and_write(tmp_path: Path, data: np.ndarray, axes: str) -> None:
    volume = read(picture(data, tmp_path / "a 1.png"))
    assert (volume.axes, volume.units, volume.name) == (axes, "pixel", "a 1")
    assert volume.data.dtype == data.dtype
    assert np.array_equal(volume.data, data)
    assert np.array_equal(volume.affine, np.eye(3))
    write(tmp_path / "b.png", volume)
    assert np.array_equal(read(tmp_path / "b.png").data, data)


def test_black_and_white(tmp_path: Path) -> None:
    path = picture(GREY > 100, tmp_path / "a.png")
    with Image.open(path) as stored:
        assert stored.mode == "1"
    assert np.array_equal(read(path).data, np.where(GREY > 100, 255, 0))
    assert np.array_equal(read_labels(path).data, GREY > 100)


def test_palettes(tmp_path: Path) -> None:
    image = Image.fromarray(GREY // 100)
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
    image.save(tmp_path / "colour.png")
    volume = read(tmp_path / "colour.png")
    assert volume.axes == "YXC"
    assert volume.data[3, 5].tolist() == [0, 0, 255]
    assert np.array_equal(read_labels(tmp_path / "colour.png").data, GREY // 100)
    image.putpalette([0, 0, 0, 90, 90, 90, 200, 200, 200])
    image.save(tmp_path / "grey.png")
    assert np.array_equal(read(tmp_path / "grey.png").data, np.array([0, 90, 200])[GREY // 100])


def test_transparent_palette_and_grey(tmp_path: Path) -> None:
    image = Image.fromarray(GREY // 100)
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
    image.save(tmp_path / "a.png", transparency=0)
    assert read(tmp_path / "a.png").data[0, 0].tolist() == [0, 0, 0, 0]
    picture(COLOUR, tmp_path / "b.png", "LA")
    assert read(tmp_path / "b.png").data.shape == (4, 6, 4)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg(tmp_path: Path, mode: str) -> None:
    flat = np.full((16, 24, 3), [200, 100, 50], np.uint8)
    volume = read(picture(flat, tmp_path / "a.jpg", mode))
    assert volume.axes == ("YX" if mode == "L" else "YXC")
    expected = [124] if mode == "L" else [200, 100, 50]
    assert np.abs(volume.data.reshape(-1, len(expected)) - np.array(expected)).max() <= 3


def test_orientation_is_kept_but_not_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "camera of Jane Doe"
    Image.fromarray(COLOUR).save(tmp_path / "a.jpg", exif=exif)
    volume = read(tmp_path / "a.jpg")
    assert volume.spatial_shape == GREY.shape
    mask = volume.with_data(GREY // 100, "YX")
    write_labels(tmp_path / "mask.png", mask)
    with Image.open(tmp_path / "mask.png") as written:
        assert dict(written.getexif()) == {0x0112: 6}
    assert np.array_equal(read_labels(tmp_path / "mask.png").data, GREY // 100)


@pytest.mark.parametrize("highest", [0, 1, 3, 255, 256, 65535])
def test_labels_keep_their_values(tmp_path: Path, highest: int) -> None:
    labels = np.zeros((5, 7), np.int64)
    labels[1:3, 2:4] = highest
    write_labels(tmp_path / "a.png", Volume.from_array(labels, "YX"))
    with Image.open(tmp_path / "a.png") as stored:
        assert np.array_equal(np.asarray(stored), labels)
        if highest <= 255:
            seen = np.asarray(stored.convert("RGB"))
            assert seen[0, 0].tolist() == [0, 0, 0]
            assert (seen[1, 2].max() == 255) == (highest > 0)
    assert np.array_equal(read_labels(tmp_path / "a.png").data, labels)


def test_palette() -> None:
    assert np.frombuffer(label_palette(1), np.uint8).reshape(-1, 3)[1].tolist() == [255] * 3
    colours = np.frombuffer(label_palette(12), np.uint8).reshape(-1, 3)[:13]
    assert len(np.unique(colours, axis=0)) == 13


def test_masks_stored_as_equal_colours(tmp_path: Path) -> None:
    mask = (GREY > 100).astype(np.uint8)
    picture(np.stack([mask * 255] * 3, axis=-1), tmp_path / "a.png")
    assert np.array_equal(read_labels(tmp_path / "a.png").data, mask * 255)
    picture(COLOUR, tmp_path / "b.png")
    with pytest.raises(FileFormatError, match=r"b\.png.*colour picture, not a mask"):
        read_labels(tmp_path / "b.png")


@pytest.mark.parametrize("ending", ["jpg", "JPEG"])
def test_labels_are_never_written_as_jpeg(tmp_path: Path, ending: str) -> None:
    volume = Volume.from_array(GREY, "YX")
    for function in (write, write_labels):
        with pytest.raises(InputError, match=r"write \.png instead"):
            function(tmp_path / f"a.{ending}", volume)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("shape", "axes", "dtype"),
    [
        ((4, 4, 4), "ZYX", "uint8"),
        ((4, 4), "YX", "float32"),
        ((4, 4), "YX", "int16"),
        ((4, 4, 3), "YXC", "uint16"),
        ((4, 4, 2), "YXC", "uint8"),
    ],
)
def test_what_png_cannot_hold(
    tmp_path: Path, shape: tuple[int, ...], axes: str, dtype: str
) -> None:
    with pytest.raises(InputError, match=r"a PNG holds .*\.nii\.gz"):
        write(tmp_path / "a.png", Volume.from_array(np.zeros(shape, dtype), axes))


@pytest.mark.parametrize(
    "labels", [np.full((4, 4), 70_000), np.zeros((2, 4, 4), np.uint8)], ids=["values", "axes"]
)
def test_labels_that_png_cannot_hold(tmp_path: Path, labels: np.ndarray) -> None:
    with pytest.raises(InputError, match="a PNG holds"):
        write_labels(tmp_path / "a.png", Volume.from_array(labels, "ZYX"[-labels.ndim :]))


@pytest.mark.parametrize("ending", ["png", "jpg"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_cut_short(tmp_path: Path, ending: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    path = picture(noise, tmp_path / f"a.{ending}")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(FileFormatError, match=rf"a\.{ending}.*damaged or cut short"):
        read(path)


def test_too_many_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 8)
    with pytest.raises(FileFormatError, match=r"a\.png.*too many pixels"):
        read(picture(GREY, tmp_path / "a.png"))
