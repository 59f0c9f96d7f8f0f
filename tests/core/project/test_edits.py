"""Edits written down and carried out again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.project.edits import (
    Activity,
    Edit,
    activity_of,
    head_of,
    pack,
    pack_activity,
    unpack,
)
from napari_lgmsnet.core.project.masks import Arrays, merged

U8 = np.dtype(np.uint8)


@st.composite
def sparse_edits(draw: st.DrawFn) -> tuple[tuple[int, ...], np.dtype[Any], Edit]:
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=2, max_size=4)))
    dtype = np.dtype(draw(st.sampled_from(["u1", "u2", "u4", ">u2"])))
    count = draw(st.integers(0, 30))
    flat = draw(st.lists(st.integers(0, int(np.prod(shape)) - 1), min_size=count, max_size=count))
    values = st.lists(st.integers(0, 255), min_size=count, max_size=count)
    where = np.unravel_index(np.array(flat, dtype=np.int64), shape)
    new: NDArray[Any] | int = np.array(draw(values), dtype=dtype)
    if draw(st.booleans()):
        new = draw(st.integers(0, 255))
    return shape, dtype, Edit(where, new, np.array(draw(values), dtype=dtype))


@settings(max_examples=150, deadline=None)
@given(sparse_edits())
def test_voxels_come_back(case: tuple[tuple[int, ...], np.dtype[Any], Edit]) -> None:
    shape, dtype, edit = case
    edit.check(shape, dtype)
    arrays = Arrays(shape, dtype, {})
    arrays.apply(pack(edit, shape, dtype))
    expected: dict[tuple[int, ...], int] = {}
    first: dict[tuple[int, ...], int] = {}
    new = np.broadcast_to(np.asarray(edit.new), len(edit.where[0]))  # type: ignore[arg-type]
    for place, value, old in zip(zip(*edit.where, strict=True), new, edit.old, strict=True):  # type: ignore[arg-type]
        expected[place] = int(value)  # type: ignore[index]
        first.setdefault(place, int(old))  # type: ignore[arg-type]
    result = np.zeros(shape, dtype)
    for place, value in expected.items():
        result[place] = value
    assert np.array_equal(arrays.filled("labels"), result)
    assert int(arrays.filled("touched").sum()) == len(expected)
    changed = sum(expected[place] != first[place] for place in expected)
    assert activity_of(head_of(pack(edit, shape, dtype))).voxels == changed


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_boxes_come_back(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 8), min_size=2, max_size=3)))
    box = tuple(
        slice(*sorted((data.draw(st.integers(0, n)), data.draw(st.integers(0, n))))) for n in shape
    )
    before = np.random.default_rng(0).integers(0, 3, shape, dtype=np.uint8)
    new = np.random.default_rng(1).integers(0, 3, before[box].shape, dtype=np.uint8)
    arrays = Arrays(shape, U8, {"labels": before.copy()})
    arrays.apply(pack(Edit(box, new, before[box]), shape, U8))
    expected = before.copy()
    expected[box] = new
    assert np.array_equal(arrays.filled("labels"), expected)
    assert np.array_equal(arrays.filled("touched"), expected != before)


def test_whose_a_voxel_is() -> None:
    prediction = np.zeros((4, 4), np.uint8)
    arrays = Arrays((4, 4), U8, {"labels": prediction.copy(), "prediction": prediction})
    row = (np.zeros(4, int), np.arange(4))

    def apply(edit: Edit) -> list[bool]:
        arrays.apply(pack(edit, (4, 4), U8))
        return arrays.filled("touched")[0].tolist()

    assert apply(Edit(row, 1)) == [True] * 4
    # An undo that restores what the network said leaves no trace, another one does.
    assert apply(Edit(row, np.array([0, 2, 0, 1]), author="undo")) == [False, True, False, True]
    assert apply(Edit(row, 3, author="network")) == [False] * 4
    assert arrays.filled("labels")[0].tolist() == [3] * 4
    # Painting what is there already is a statement, too.
    assert apply(Edit(row, 3)) == [True] * 4
    apply(Edit((slice(0, 2), slice(0, 4)), 1, layer="vouched"))
    assert arrays.filled("vouched").sum() == 8
    assert arrays.filled("vouched").dtype == bool
    assert arrays.filled("labels")[1].tolist() == [0] * 4


def test_time_alone_changes_nothing() -> None:
    arrays = Arrays((4, 4), U8, {})
    record = pack_activity(Activity(seconds=12.3456, clicks=2))
    arrays.apply(record)
    assert arrays.changed == set()
    assert activity_of(head_of(record)) == Activity(0, 2, 12.346, 0)


def test_solid_regions_take_little_space() -> None:
    disc = np.nonzero(np.hypot(*np.ogrid[-100:101, -100:101]) < 90)
    record = pack(Edit(disc, 1), (201, 201), U8)
    assert len(disc[0]) > 25000
    assert len(record) < 2000


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (Edit((np.array([1]),), 1), "does not fit shape"),
        (Edit((np.array([1]), np.array([4])), 1), "outside"),
        (Edit((np.array([-1]), np.array([0])), 1), "outside"),
        (Edit((np.array([1]), np.array([1])), 256), "holds 256"),
        (Edit((np.array([1]), np.array([1])), -1), "wider type"),
        (Edit((np.array([1]), np.array([1])), 2, layer="vouched"), '"vouched" holds 2'),
        (Edit((np.array([1]), np.array([1])), np.array([0.5])), "whole numbers"),
    ],
)
def test_what_does_not_fit_is_refused(edit: Edit, words: str) -> None:
    with pytest.raises(InputError, match=words):
        edit.check((4, 4), U8)


def test_storing_arrays_of_another_shape_is_refused() -> None:
    base = Arrays((4, 4), U8, {})
    with pytest.raises(InputError, match="do not fit the mask of shape"):
        merged({"labels": np.zeros((4, 5), np.uint8)}, base)
    with pytest.raises(InputError, match="cannot be stored"):
        merged({"labels": np.zeros((4, 4), np.float32)}, base)
    with pytest.raises(InputError, match="nothing to store"):
        merged({}, None)


def test_a_new_prediction_leaves_what_the_person_touched() -> None:
    touched = np.zeros((2, 2), bool)
    touched[0, 0] = True
    labels = np.array([[7, 1], [1, 1]], np.uint8)
    base = Arrays((2, 2), U8, {"labels": labels, "touched": touched})
    result = merged({"prediction": np.full((2, 2), 300, np.uint16)}, base)
    assert result.filled("labels").tolist() == [[7, 300], [300, 300]]
    assert result.dtype == np.uint16


def test_records_of_any_byte_order_are_read() -> None:
    kind = np.dtype(">u2")
    record = pack(Edit((np.array([1]), np.array([2])), 513), (4, 4), kind)
    _, flat, new = unpack(record)
    assert flat is not None
    assert (flat.tolist(), new.tolist()) == ([6], [513])
