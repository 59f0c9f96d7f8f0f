"""Agreement with a reference: MONAI's figures, and what is said where there are none."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from monai.metrics import (
    compute_average_surface_distance,
    compute_dice,
    compute_hausdorff_distance,
    compute_iou,
)

from napari_lgmsnet.core.agreement import DIFFERENCES, Comparison, compare
from napari_lgmsnet.core.errors import GeometryError
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.types import Volume
from tests.core.edit.helpers import SPACINGS, ball, masks


def compared(
    mask: np.ndarray, reference: np.ndarray, spacing: tuple[float, ...] | None = None
) -> Comparison:
    axes = "ZYX"[-mask.ndim :]
    volumes = (Volume.from_array(array, axes, spacing) for array in (mask, reference))
    return run(compare(*volumes))


# MONAI 1.6 calls a part of itself that it declares old.
@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")
@given(data=st.data(), steps=st.tuples(*[st.sampled_from(SPACINGS)] * 3))
@settings(max_examples=40, deadline=None)
def test_figures_are_those_of_monai(data: st.DataObject, steps: tuple[float, ...]) -> None:
    mask = data.draw(masks())
    reference = np.roll(mask, data.draw(st.integers(0, 3)), axis=data.draw(st.integers(0, 1)))
    reference = np.where(data.draw(st.booleans()), reference, reference[::-1])
    assume((mask == 1).any())
    spacing = steps[: mask.ndim]
    row = next(row for row in compared(mask, reference, spacing).rows if row.label == 1)
    one, other = (torch.from_numpy((a == 1)[None, None].copy()) for a in (mask, reference))
    assert row.dice == pytest.approx(float(compute_dice(one, other)))
    assert row.iou == pytest.approx(float(compute_iou(one, other)))
    hd95 = compute_hausdorff_distance(
        one, other, include_background=True, percentile=95, spacing=spacing
    )
    assert row.hd95 == pytest.approx(float(hd95), rel=1e-5)
    average = compute_average_surface_distance(
        one, other, include_background=True, symmetric=True, spacing=spacing
    )
    assert row.surface_distance == pytest.approx(float(average), rel=1e-5)
    assert row.precision == pytest.approx(
        ((mask == 1) & (reference == 1)).sum() / (mask == 1).sum()
    )
    assert row.reason == ""


def test_two_balls_in_each_other() -> None:
    spacing = (2.0, 0.8, 0.8)
    shape = tuple(int(36 / step) | 1 for step in spacing)
    row = compared(ball(shape, 10, spacing), ball(shape, 14, spacing), spacing).rows[0]
    assert row.hd95 == pytest.approx(4, abs=1.5)
    assert row.surface_distance == pytest.approx(4, abs=1)
    assert row.precision == 1
    assert row.recall == pytest.approx((10 / 14) ** 3, rel=0.03)
    assert row.iou == pytest.approx(row.recall)


def test_distances_on_a_turned_grid_are_those_of_the_straight_one() -> None:
    mask, reference = np.zeros((2, 8, 9, 10), np.uint8)
    mask[2:6, 3:6, 4:9] = 1
    reference[2:7, 3:7, 2:9] = 1
    straight = np.diag([2.0, 1.0, 0.5, 1.0])
    angle = 0.3
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    rows = [
        run(
            compare(Volume(mask, "ZYX", affine, "mm"), Volume(reference, "ZYX", affine, "mm"))
        ).rows[0]
        for affine in (straight, turn @ straight)
    ]
    assert rows[0].hd95 == pytest.approx(rows[1].hd95)
    assert rows[0].surface_distance == pytest.approx(rows[1].surface_distance)


def test_what_is_said_where_a_class_is_missing() -> None:
    mask, reference = np.zeros((2, 4, 4), np.uint8)
    mask[0, 0], reference[3, 3] = 1, 2
    volumes = (Volume.from_array(array, "YX") for array in (mask, reference))
    extra, missed, absent = run(compare(*volumes, {1: "polyp", 3: "stool"})).rows
    assert (extra.name, extra.dice, extra.iou, extra.precision) == ("polyp", 0, 0, 0)
    assert math.isnan(extra.recall)
    assert math.isnan(extra.hd95)
    assert extra.reason == "the reference does not show this class"
    assert (missed.name, missed.dice, missed.recall) == ("label 2", 0, 0)
    assert math.isnan(missed.precision)
    assert missed.reason == "the mask does not show this class"
    figures = (absent.dice, absent.iou, absent.precision, absent.recall, absent.hd95)
    assert all(math.isnan(figure) for figure in figures)
    assert absent.reason == "neither the mask nor the reference shows this class"


def test_two_empty_masks() -> None:
    empty = compared(np.zeros((3, 4), np.uint8), np.zeros((3, 4), np.uint8))
    assert empty.rows == ()
    assert not empty.difference.any()


def test_the_difference_names_what_is_wrong() -> None:
    mask = np.array([[0, 0, 1, 1, 2]], np.uint8)
    reference = np.array([[0, 1, 0, 1, 1]], np.uint16)
    result = compared(mask, reference)
    words = [DIFFERENCES[number] for number in result.difference[0]]
    assert words == ["same", "missed", "extra", "same", "other class"]
    assert result.difference.dtype == np.uint8


def test_columns_name_their_units() -> None:
    labels = np.ones((3, 3), np.uint8)
    assert compared(labels, labels, (0.5, 0.5)).columns()["HD95 (mm)"] == [0]
    assert "HD95 (px)" in compared(labels, labels).columns()


def test_another_image_s_reference_is_refused() -> None:
    labels = np.ones((3, 3), np.uint8)
    one = Volume.from_array(labels, "YX", (1.0, 1.0))
    other = Volume.from_array(labels, "YX", (1.0, 2.0))
    with pytest.raises(GeometryError, match="same grid"):
        run(compare(one, other))
