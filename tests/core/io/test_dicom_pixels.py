"""What stored numbers stand for: grey, colour, palettes, tables, and compressed ones."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.pixels import convert_color_space
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from tests.core.dicoms import (
    DIGITAL_X_RAY,
    MR,
    SECONDARY,
    ULTRASOUND,
    ULTRASOUND_FILM,
    header,
    put_pixels,
    save,
    series,
    slice_of,
    volume_numbers,
)

from napari_lgmsnet.core.errors import FileFormatError
from napari_lgmsnet.core.io import dicom, read

GENERATOR = np.random.default_rng(0)
COLOURS = GENERATOR.integers(0, 256, (6, 8, 3), dtype=np.uint8)


def one_slice(path: Path, pixels: np.ndarray, bits: int = 0, **elements: Any) -> np.ndarray:
    dataset = slice_of(pixels, (0, 0, 0), **elements)
    if bits:
        dataset.BitsStored, dataset.HighBit = bits, bits - 1
    save(path, dataset)
    return read(path).data[0]


@pytest.mark.parametrize(
    ("stored", "bits", "slope", "intercept", "expected"),
    [
        ("uint16", 12, "1", "-1024", "int16"),
        ("uint16", 12, "1", "0", "uint16"),
        ("uint8", 8, "1", "0", "uint8"),
        ("int16", 16, "1", "0", "int16"),
        ("uint16", 16, "1", "-1000", "int32"),
        ("int16", 16, "1", "32768", "uint16"),
        ("uint8", 8, "-1", "255", "uint8"),
        ("uint16", 12, "2", "1", "uint16"),
        ("uint16", 12, "0.5", "0", "float32"),
        ("uint16", 12, "1", "0.25", "float32"),
        ("int32", 32, "0.001", "0", "float64"),
        ("int32", 32, "1", "0", "int32"),
        ("uint32", 32, "1", "-5", "int64"),
    ],
)
def test_slope_and_intercept_are_exact(
    tmp_path: Path, stored: str, bits: int, slope: str, intercept: str, expected: str
) -> None:
    info = np.iinfo(stored)
    high = min(info.max, 2 ** (bits - (info.min < 0)) - 1)
    low = -high - 1 if info.min < 0 else 0
    pixels = np.array([[low, 0, 1], [7, high - 1, high]]).astype(stored)
    data = one_slice(
        tmp_path / "a.dcm", pixels, bits, RescaleSlope=slope, RescaleIntercept=intercept
    )
    assert data.dtype == expected
    true = pixels.astype(np.float64) * float(slope) + float(intercept)
    assert np.array_equal(data, true.astype(expected))


def test_every_slice_has_its_own_slope(tmp_path: Path) -> None:
    pixels = volume_numbers((3, 4, 5), "uint16")
    for place, slope in enumerate(("0.5", "2", "1.25")):
        dataset = slice_of(pixels[place], (0, 0, place), RescaleSlope=slope, RescaleIntercept="0")
        save(tmp_path / str(place), dataset)
    volume = read(tmp_path)
    assert volume.data.dtype == np.float32
    assert np.array_equal(volume.data, pixels * np.array([0.5, 2, 1.25])[:, None, None])


def test_bits_that_are_not_used_are_ignored(tmp_path: Path) -> None:
    values = np.array([[-2048, -1, 0, 2047]], dtype=np.int16)
    with_rubbish = (values & 0x0FFF) | 0x3000  # overlays used to be stored there
    assert np.array_equal(one_slice(tmp_path / "a", with_rubbish.astype(np.int16), 12), values)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_monochrome1_is_inverted(tmp_path: Path, dtype: str) -> None:
    pixels = GENERATOR.integers(0, 200, (4, 5)).astype(dtype)
    dataset = header(DIGITAL_X_RAY, PhotometricInterpretation="MONOCHROME1", Modality="DX")
    save(tmp_path / "a.dcm", put_pixels(dataset, pixels))
    data = read(tmp_path / "a.dcm").data
    info = np.iinfo(dtype)
    assert data.dtype == dtype
    assert np.array_equal(data, info.max + info.min - pixels.astype(int))


def test_monochrome1_with_a_unit_keeps_its_numbers(tmp_path: Path) -> None:
    pixels = np.array([[24, 1024, 3024]], dtype=np.uint16)
    about = {"PhotometricInterpretation": "MONOCHROME1", "RescaleType": "HU"}
    about |= {"RescaleSlope": "1", "RescaleIntercept": "-1024"}
    assert np.array_equal(one_slice(tmp_path / "a", pixels, **about), [[-1000, 0, 2000]])


@pytest.mark.parametrize(("kind", "inverted"), [("MONOCHROME2", False), ("MONOCHROME1", True)])
def test_tables_of_intensities(tmp_path: Path, kind: str, inverted: bool) -> None:
    table = np.array([0, 10, 500, 1023], dtype=np.uint16)
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType = [4, 0, 10], "US"
    item.add_new("LUTData", "US", table.tolist())
    pixels = np.array([[3, 2], [1, 0]], dtype=np.uint8)
    data = one_slice(
        tmp_path / "a", pixels, ModalityLUTSequence=[item], PhotometricInterpretation=kind
    )
    assert np.array_equal(data, 1023 - table[pixels] if inverted else table[pixels])


# Colours


def colour_file(path: Path, pixels: np.ndarray, **elements: Any) -> Path:
    dataset = header(SECONDARY, Modality="OT", **elements)
    del dataset.FrameOfReferenceUID
    return save(path, put_pixels(dataset, pixels))


def test_colours(tmp_path: Path) -> None:
    volume = read(colour_file(tmp_path / "a.dcm", COLOURS))
    assert volume.axes == "YXC"
    assert volume.units == "pixel"
    assert np.array_equal(volume.data, COLOURS)


def test_colours_stored_plane_by_plane(tmp_path: Path) -> None:
    path = colour_file(tmp_path / "a.dcm", COLOURS)
    dataset = dcmread(path)
    dataset.PlanarConfiguration = 1
    dataset.PixelData = COLOURS.transpose(2, 0, 1).tobytes()
    dataset.save_as(path)
    assert np.array_equal(read(path).data, COLOURS)


def test_luminance_and_chrominance_become_red_green_and_blue(tmp_path: Path) -> None:
    stored = convert_color_space(COLOURS.copy(), "RGB", "YBR_FULL")
    volume = read(colour_file(tmp_path / "a.dcm", stored, PhotometricInterpretation="YBR_FULL"))
    assert np.abs(volume.data.astype(int) - COLOURS).max() <= 3


@pytest.mark.parametrize("bits", [8, 16])
def test_palettes_become_red_green_and_blue(tmp_path: Path, bits: int) -> None:
    palette = GENERATOR.integers(0, 256, (4, 3))
    dataset = header(ULTRASOUND, Modality="US", PhotometricInterpretation="PALETTE COLOR")
    for column, name in enumerate(("Red", "Green", "Blue")):
        entries = (palette[:, column] * (257 if bits == 16 else 1)).astype(f"<u{bits // 8}")
        setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", [4, 0, bits])
        setattr(dataset, f"{name}PaletteColorLookupTableData", entries.tobytes())
    pixels = GENERATOR.integers(0, 4, (6, 8)).astype(np.uint8)
    volume = read(save(tmp_path / "a.dcm", put_pixels(dataset, pixels)))
    assert volume.axes == "YXC"
    assert np.array_equal(volume.data, palette[pixels])


def test_colours_of_16_bits(tmp_path: Path) -> None:
    volume = read(colour_file(tmp_path / "a.dcm", COLOURS.astype(np.uint16) * 256 + 17))
    assert volume.data.dtype == np.uint8
    assert np.array_equal(volume.data, COLOURS)


def test_colours_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    path = colour_file(tmp_path / "a.dcm", COLOURS, PhotometricInterpretation="HSV")
    with pytest.raises(FileFormatError, match=r"a\.dcm.*HSV.*Export it as RGB"):
        read(path)


# Pictures without a place in the patient


def ultrasound_region(unit: int = 3, kind: int = 1, delta: float = 0.02) -> Dataset:
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType = kind, 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = unit
    region.PhysicalDeltaX, region.PhysicalDeltaY = delta, -2 * delta
    return region


def ultrasound(path: Path, regions: list[Dataset], kind: str = ULTRASOUND, **more: Any) -> Path:
    dataset = header(kind, Modality="US", SequenceOfUltrasoundRegions=regions, **more)
    del dataset.FrameOfReferenceUID
    frames = 3 if kind == ULTRASOUND_FILM else 0
    return save(
        path, put_pixels(dataset, np.stack([COLOURS] * 3) if frames else COLOURS, 0, frames)
    )


def test_regions_of_ultrasound_give_the_pixel_size(tmp_path: Path) -> None:
    spectrum = ultrasound_region(unit=4, kind=3, delta=1.5)
    volume = read(ultrasound(tmp_path / "a.dcm", [ultrasound_region(), spectrum]))
    assert (volume.axes, volume.units) == ("YXC", "mm")
    assert volume.spacing == pytest.approx((0.4, 0.2))


@pytest.mark.parametrize(
    "regions", [[], [ultrasound_region(unit=0)], [ultrasound_region(), ultrasound_region(delta=1)]]
)
def test_without_one_pixel_size_ultrasound_is_in_pixels(
    tmp_path: Path, regions: list[Dataset]
) -> None:
    volume = read(ultrasound(tmp_path / "a.dcm", regions))
    assert (volume.units, volume.spacing) == ("pixel", (1, 1))


def test_films_have_a_time_axis(tmp_path: Path) -> None:
    path = ultrasound(tmp_path / "a.dcm", [ultrasound_region()], ULTRASOUND_FILM, FrameTime="40")
    volume = read(path)
    assert volume.axes == "TYXC"
    assert volume.data.shape == (3, 6, 8, 3)
    assert volume.spacing == pytest.approx((0.4, 0.2))
    assert dicom.open_series(path).plane(2).shape == (6, 8, 3)


def test_pages_without_a_place_are_a_stack_in_pixels(tmp_path: Path) -> None:
    pages = volume_numbers((4, 5, 6), "uint8")
    for number in (2, 0, 3, 1):
        dataset = header(SECONDARY, Modality="OT", InstanceNumber=number, PixelSpacing=[0.5, 0.5])
        save(tmp_path / f"{9 - number}.dcm", put_pixels(dataset, pages[number]))
    volume = read(tmp_path)
    assert (volume.axes, volume.units) == ("ZYX", "pixel")
    assert np.array_equal(volume.affine, np.eye(4))
    assert np.array_equal(volume.data, pages)


def test_pixel_size_at_the_detector(tmp_path: Path) -> None:
    dataset = header(DIGITAL_X_RAY, Modality="DX", ImagerPixelSpacing=[0.143, 0.139])
    volume = read(save(tmp_path / "a.dcm", put_pixels(dataset, volume_numbers((5, 6), "uint16"))))
    assert (volume.axes, volume.units) == ("YX", "mm")
    assert volume.spacing == pytest.approx((0.143, 0.139))


# Transfer syntaxes


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_plain_transfer_syntaxes(tmp_path: Path, syntax: str) -> None:
    pixels = volume_numbers((5, 7))
    dataset = slice_of(pixels, (0, 0, 0))
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = pixels.astype(">i2").tobytes()
        dataset["PixelData"].VR = "OW"
    assert np.array_equal(read(save(tmp_path / "a", dataset, syntax)).data[0], pixels)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
@pytest.mark.parametrize("dtype", ["int16", "uint16", "uint8"])
def test_compressed_series(tmp_path: Path, syntax: str, dtype: str) -> None:
    pixels = GENERATOR.integers(0, 200, (3, 64, 66)).astype(dtype)
    files = series(tmp_path, pixels)
    for file in files:
        dataset = dcmread(file)
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(file)
    volume = read(tmp_path)
    assert volume.data.dtype == dtype
    assert np.array_equal(volume.data, pixels)


def test_jpeg_lossless(tmp_path: Path) -> None:
    gdcm = pytest.importorskip("gdcm")
    pixels = GENERATOR.integers(-1000, 1000, (16, 18)).astype(np.int16)
    plain = save(tmp_path / "plain", slice_of(pixels, (0, 0, 0)))
    reader, writer = gdcm.ImageReader(), gdcm.ImageWriter()
    change = gdcm.ImageChangeTransferSyntax()
    reader.SetFileName(str(plain))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFileName(str(tmp_path / "packed"))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    assert dcmread(tmp_path / "packed").file_meta.TransferSyntaxUID == JPEGLosslessSV1
    assert np.array_equal(read(tmp_path / "packed").data[0], pixels)


def jpeg(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="JPEG", quality=95, subsampling=0)
    return stream.getvalue()


def test_jpeg(tmp_path: Path) -> None:
    smooth = np.linspace(0, 255, 32 * 32).reshape(32, 32).astype(np.uint8)
    colours = np.stack([smooth, smooth.T, 255 - smooth], axis=-1)
    dataset = put_pixels(header(ULTRASOUND, Modality="US"), colours)
    dataset.PhotometricInterpretation = "YBR_FULL_422"
    dataset.PixelData = encapsulate([jpeg(colours)])
    volume = read(save(tmp_path / "a.dcm", dataset, JPEGBaseline8Bit))
    assert volume.axes == "YXC"
    assert np.abs(volume.data.astype(int) - colours).mean() < 3


def test_files_from_before_there_was_a_file_header(tmp_path: Path) -> None:
    pixels = volume_numbers((5, 7))
    path = save(tmp_path / "a", slice_of(pixels, (0, 0, 0)), ImplicitVRLittleEndian)
    dataset = dcmread(path)
    dataset.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
    whole = path.read_bytes()
    path.write_bytes(whole[whole.index(b"\x08\x00\x05\x00") :])
    volume = read(path)
    assert np.array_equal(volume.data[0], pixels)
    assert np.array_equal(dicom.open_series(path).plane(0), pixels)


# Files that were cut short


@pytest.mark.parametrize("part", [0.3, 0.9, 0.98])
@pytest.mark.parametrize("syntax", [None, RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_pixels_cut_short_are_said(tmp_path: Path, part: float, syntax: str | None) -> None:
    pixels = GENERATOR.integers(0, 4000, (3, 64, 64)).astype(np.uint16)
    files = series(tmp_path, pixels, kind=MR, Modality="MR")
    dataset = dcmread(files[1])
    if syntax is not None:
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(files[1])
    whole = files[1].read_bytes()
    start = whole.index(b"\xe0\x7f\x10\x00") + 12
    files[1].write_bytes(whole[: start + int(part * (len(whole) - start))])
    with pytest.raises(FileFormatError, match=rf"{files[1].name}.*damaged or cut short"):
        read(tmp_path)


def test_frames_that_are_missing_are_said(tmp_path: Path) -> None:
    dataset = put_pixels(
        header(ULTRASOUND_FILM, Modality="US"), volume_numbers((4, 8, 8), "uint8"), frames=4
    )
    dataset.NumberOfFrames = 6
    path = save(tmp_path / "a.dcm", dataset)
    with pytest.raises(FileFormatError, match=r"a\.dcm.*damaged or cut short"):
        read(path)


def test_headers_cut_short_are_said(tmp_path: Path) -> None:
    whole = save(tmp_path / "whole.dcm", slice_of(volume_numbers((8, 8)), (0, 0, 0))).read_bytes()
    for length in (*range(132, whole.index(b"\x28\x00\x10\x00") + 8, 97), len(whole) - 129):
        path = tmp_path / "a.dcm"
        path.write_bytes(whole[:length])
        with pytest.raises(FileFormatError, match=r"a\.dcm"):
            read(path)


def test_films_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    dataset = put_pixels(header(ULTRASOUND_FILM, Modality="US"), COLOURS)
    dataset.PixelData = encapsulate([b"\0\0\1\xb3"])
    path = save(tmp_path / "a.dcm", dataset, "1.2.840.10008.1.2.4.102")  # MPEG-4
    with pytest.raises(FileFormatError, match=r"a\.dcm.*MPEG-4.*export it uncompressed"):
        read(path)


def test_missing_decoders_are_named_with_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pydicom.pixels import decoders

    path = save(tmp_path / "a.dcm", slice_of(volume_numbers((64, 64), "uint16"), (0, 0, 0)))
    dataset = dcmread(path)
    dataset.compress(JPEG2000Lossless)
    dataset.save_as(path)
    monkeypatch.setattr(decoders.JPEG2000LosslessDecoder, "_available", {})
    with pytest.raises(FileFormatError, match=r"JPEG 2000.*pip install.*napari-lgmsnet\[dicom\]"):
        read(path)
