"""Measures are exact: against formulas, scikit-image, and on grids that lie askew."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import find_contours, regionprops

from napari_lgmsnet.core.components import connected
from napari_lgmsnet.core.diameter import longest_diameter
from napari_lgmsnet.core.errors import GeometryError, InputError
from napari_lgmsnet.core.io import read, read_labels
from napari_lgmsnet.core.measure import measure
from napari_lgmsnet.core.measures import Measures
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.resources import resource_folder
from napari_lgmsnet.core.tables import write_csv
from napari_lgmsnet.core.types import Volume
from tests.core.edit.helpers import ball, masks

# Turned, sheared, and left-handed.
OBLIQUE = np.array(
    [[2.0, 0.3, 0.1, -7.0], [0.1, 0.0, -1.5, 30.0], [0.0, 0.9, 0.2, 4.0], [0.0, 0.0, 0.0, 1.0]]
)


def measured(
    labels: np.ndarray, spacing: tuple[float, ...] | None = None, **more: object
) -> Measures:
    volume = Volume.from_array(labels, "ZYX"[-labels.ndim :], spacing)
    return run(measure(volume, **more))  # type: ignore[arg-type]


def test_a_box() -> None:
    labels = np.zeros((10, 20, 30), np.uint8)
    labels[2:5, 4:14, 6:26] = 3
    (whole, only) = measured(labels, (3.0, 0.5, 1.0)).rows
    assert (whole.label, whole.name, whole.part, whole.objects) == (3, "label 3", 0, 1)
    assert (only.part, only.voxels) == (1, 600)
    assert only.size == pytest.approx(600 * 1.5)
    assert only.centroid == pytest.approx((3 * 3.0, 8.5 * 0.5, 15.5))
    assert only.box == (slice(2, 5), slice(4, 14), slice(6, 26))
    # From face to face of the outermost voxels, along the axis where that is most.
    assert only.longest_diameter == pytest.approx(math.hypot(3 * 3, 9 * 0.5, 19))
    assert math.isnan(only.mean)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 0.7, 0.7), (0.8, 0.8)])
def test_a_ball(spacing: tuple[float, ...]) -> None:
    shape = tuple(int(36 / step) | 1 for step in spacing)
    row = measured(ball(shape, 15, spacing), spacing).rows[0]
    size = 4 / 3 * np.pi * 15**3 if len(shape) == 3 else np.pi * 15**2
    assert row.size == pytest.approx(size, rel=0.01)
    assert row.longest_diameter == pytest.approx(30, abs=max(spacing))
    assert row.centroid == pytest.approx(
        [(n - 1) / 2 * s for n, s in zip(shape, spacing, strict=True)]
    )


def test_an_oblique_grid() -> None:
    labels = np.zeros((6, 7, 8), np.uint8)
    labels[1:4, 2:6, 1:7] = 1
    row = run(measure(Volume(labels, "ZYX", OBLIQUE, "mm"))).rows[0]
    assert row.size == pytest.approx(72 * abs(np.linalg.det(OBLIQUE[:3, :3])))
    inside = np.argwhere(labels) @ OBLIQUE[:3, :3].T + OBLIQUE[:3, 3]
    assert row.centroid == pytest.approx(inside.mean(axis=0))
    assert row.longest_diameter == pytest.approx(brute_force(labels > 0, OBLIQUE[:3, :3]))


def brute_force(mask: np.ndarray, steps: np.ndarray) -> float:
    """Return the diameter from all points of the surface."""
    halves = 0.5 * np.concatenate([np.eye(mask.ndim), -np.eye(mask.ndim)])
    points = (np.argwhere(mask)[:, None] + halves).reshape(-1, mask.ndim) @ steps.T
    return float(np.linalg.norm(points[:, None] - points[None], axis=-1).max())


@given(
    mask=st.one_of(arrays(np.bool_, (4, 5, 5)), arrays(np.bool_, (9, 8))),
    step=st.floats(0.2, 5),
    shear=st.floats(-1, 1),
)
@settings(max_examples=60, deadline=None)
def test_the_diameter_is_exact(mask: np.ndarray, step: float, shear: float) -> None:
    steps = np.eye(mask.ndim)
    steps[0, 0], steps[0, 1] = step, shear
    expected = brute_force(mask, steps) if mask.any() else 0.0
    assert longest_diameter(mask, steps) == pytest.approx(expected)


def test_the_diameter_of_a_large_ball() -> None:
    """Thousands of corners in the hull, compared in several rounds."""
    mask = ball((121, 121, 121), 60, (1, 1, 1)) > 0
    assert longest_diameter(mask, np.eye(3)) == pytest.approx(121)


@given(mask=arrays(np.bool_, (9, 11)))
@settings(max_examples=40, deadline=None)
def test_the_diameter_is_that_of_the_outline(mask: np.ndarray) -> None:
    """By marching squares, as scikit-image's feret_diameter_max, but not of a hull of pixels."""
    if not mask.any():
        return
    points = np.concatenate(find_contours(np.pad(mask, 1).astype(float), 0.5))
    expected = np.linalg.norm(points[:, None] - points[None], axis=-1).max()
    assert longest_diameter(mask, np.eye(2)) == pytest.approx(expected)


@given(labels=masks(2))
@settings(max_examples=60, deadline=None)
def test_objects_of_an_image_as_scikit_image_measures_them(labels: np.ndarray) -> None:
    image = np.arange(labels.size, dtype=np.float32).reshape(labels.shape) ** 1.5
    rows = measured(labels, image=Volume.from_array(image, "YX")).rows
    assert {row.label for row in rows} == set(np.unique(labels)) - {0}
    for label in {row.label for row in rows}:
        whole, *parts = [row for row in rows if row.label == label]
        objects, count = connected(labels == label)
        assert whole.objects == len(parts) == count
        assert whole.voxels == sum(row.voxels for row in parts) == (labels == label).sum()
        assert [row.voxels for row in parts] == sorted((r.voxels for r in parts), reverse=True)
        assert whole.longest_diameter == max(row.longest_diameter for row in parts)
        assert whole.mean == pytest.approx(image[labels == label].mean(dtype=float))
        expected = {p.bbox: p for p in regionprops(objects, intensity_image=image)}
        for row in parts:
            key = tuple(s.start for s in row.box) + tuple(s.stop for s in row.box)
            matching = [p for bbox, p in expected.items() if bbox == key]
            if len(matching) != 1 or [r.box for r in parts].count(row.box) > 1:
                continue  # boxes may coincide
            (one,) = matching
            assert row.size == one.area
            assert row.centroid == pytest.approx(one.centroid)
            assert row.minimum == one.intensity_min
            assert row.maximum == one.intensity_max
            assert row.mean == pytest.approx(one.intensity_mean)
            assert row.sd == pytest.approx(one.intensity_std, rel=1e-4)


def test_intensities_leave_out_what_is_no_number() -> None:
    labels = np.ones((2, 3), np.uint8)
    image = np.array([[1, 2, np.nan], [3, np.inf, 6]], np.float32)
    row = measured(labels, image=Volume.from_array(image, "YX")).rows[0]
    assert (row.mean, row.minimum, row.maximum) == (3, 1, 6)
    assert row.sd == pytest.approx(np.std([1, 2, 3, 6]))
    nothing = Volume.from_array(np.full((2, 3), np.nan), "YX")
    assert math.isnan(measured(labels, image=nothing).rows[0].mean)


def test_large_intensities_keep_their_digits() -> None:
    labels = np.ones((300, 300), np.uint8)
    image = Volume.from_array(
        np.full((300, 300), 16_777_217.0, np.float64).astype(np.float32), "YX"
    )
    assert measured(labels, image=image).rows[0].sd == 0


def test_colours_are_measured_by_their_luminance() -> None:
    labels = np.ones((2, 2), np.uint8)
    picture = np.zeros((2, 2, 4), np.uint8)
    picture[..., 1], picture[..., 3] = 100, 255
    row = measured(labels, image=Volume.from_array(picture, "YXC")).rows[0]
    assert row.mean == pytest.approx(58.7)


def test_named_classes_have_a_row_though_they_are_not_there() -> None:
    labels = np.zeros((4, 4), np.uint8)
    labels[0, 0] = 2
    table = measured(labels, names={0: "background", 1: "liver", 2: "tumour"})
    assert [(row.name, row.voxels, row.objects) for row in table.rows] == [
        ("liver", 0, 0),
        ("tumour", 1, 1),
        ("tumour", 1, 1),
    ]
    assert table.rows[0].size == table.rows[0].longest_diameter == 0
    assert math.isnan(table.rows[0].centroid[0])


def test_only_what_changed_is_measured_again() -> None:
    labels = np.zeros((4, 4), np.uint8)
    labels[0, 0], labels[2, 2] = 1, 2
    assert {row.label for row in measured(labels, only=frozenset({0, 2})).rows} == {2}
    gone = measured(labels, names={5: "cyst"}, only=frozenset({5})).rows
    assert [(row.name, row.voxels) for row in gone] == [("cyst", 0)]


def test_columns_name_their_units() -> None:
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1:3, 1:3, 1:3] = 1
    columns = measured(labels, (10.0, 10.0, 10.0)).columns()
    assert columns["volume (mm³)"] == pytest.approx([8000, 8000])
    assert columns["volume (ml)"] == pytest.approx([8, 8])
    assert columns["object"] == ["all", "1"]
    assert columns["centroid z (mm)"] == pytest.approx([15, 15])
    assert columns["first voxel x"] == [1, 1]
    assert columns["last voxel x"] == [2, 2]
    assert len({len(column) for column in columns.values()}) == 1
    flat = measured(labels[1]).columns()
    assert flat["area (px²)"] == [4, 4]
    assert "volume (ml)" not in flat
    features = measured(labels).features()
    assert features["index"] == [1]
    assert {len(column) for column in features.values()} == {1}


def test_a_table_as_a_file(tmp_path: Path) -> None:
    labels = np.zeros((4, 5), np.uint8)
    labels[1:3, 1:4] = 1
    table = measured(labels, (0.5, 0.5), names={1: 'cyst, "left"\nnew line', 2: "Ödem"})
    path = tmp_path / "measures.csv"
    write_csv(path, table.columns())
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ['cyst, "left"\nnew line'] * 2 + ["Ödem"]
    assert float(rows[0]["area (mm²)"]) == 1.5
    assert rows[2]["centroid y (mm)"] == ""
    with pytest.raises(InputError, match="exists"):
        write_csv(path, table.columns())
    write_csv(path, {"label": [1]}, overwrite=True)
    assert path.read_text(encoding="utf-8-sig").split() == ["label", "1"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("mask", "image", "error", "words"),
    [
        (Volume.from_array(np.zeros((3, 4)), "YX"), None, InputError, "whole numbers"),
        (Volume.from_array(-np.ones((3, 4), int), "YX"), None, InputError, "negative"),
        (Volume.from_array(np.zeros((2, 3, 4), int), "TYX"), None, InputError, "one frame"),
        (
            Volume.from_array(np.zeros((3, 4), int), "YX"),
            Volume.from_array(np.zeros((3, 5)), "YX"),
            GeometryError,
            "does not lie on",
        ),
        (
            Volume.from_array(np.zeros((3, 4), int), "YX", (1.0, 1.0)),
            Volume.from_array(np.zeros((3, 4)), "YX", (1.0, 1.01)),
            GeometryError,
            "does not lie on",
        ),
        (
            Volume.from_array(np.zeros((3, 4), int), "YX"),
            Volume.from_array(np.zeros((3, 4, 2)), "YXC"),
            InputError,
            "2 channels",
        ),
    ],
)
def test_unusable_input(
    mask: Volume, image: Volume | None, error: type[InputError], words: str
) -> None:
    with pytest.raises(error, match=words):
        run(measure(mask, image))


def test_a_bundled_volume() -> None:
    folder = resource_folder("sample_data")
    mask = read_labels(folder / "colin27_hippocampus_aal.nii.gz")
    image = read(folder / "colin27_hippocampus_t1.nii.gz")
    row = run(measure(mask, image)).classes[0]
    assert row.size == pytest.approx((mask.data > 0).sum() * np.prod(mask.spacing))
    # In AAL, which is generous, it has some 7 ml.
    assert 5000 < row.size < 10000
    assert 40 < row.longest_diameter < 65
    inside = image.data[mask.data > 0]
    assert (row.minimum, row.maximum) == (inside.min(), inside.max())
