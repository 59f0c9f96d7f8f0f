"""What holds for every tool: locks, undo, turned masks, blocks, and doing it twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from napari_lgmsnet.core import edit
from napari_lgmsnet.core.components import connected
from napari_lgmsnet.core.edit import EVERYWHERE, Scope, pieces
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.types import Progress
from tests.core.edit.helpers import Tool, after, ball, everything, masks, scopes, spacing_of, tools

few = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
VOLUME_TOOLS = sorted(tools((3, 3, 3)))


@pytest.mark.parametrize("name", VOLUME_TOOLS)
@given(data=st.data())
@few
def test_what_is_locked_or_out_of_scope_never_changes_and_undo_is_exact(
    name: str, data: st.DataObject
) -> None:
    labels = data.draw(masks(3 if name not in tools((2, 2)) else None))
    scope = data.draw(scopes(labels.shape))
    before = labels.copy()
    change = run(tools(labels.shape)[name](labels, spacing_of(labels.ndim), scope))
    np.testing.assert_array_equal(labels, before)
    assert (change.old != change.new).all()
    flat = np.ravel_multi_index(change.indices, labels.shape)
    assert np.unique(flat).size == change.voxels

    change.apply(labels)
    changed = labels != before
    assert changed.sum() == change.voxels
    allowed = np.ones(labels.shape, bool)
    if scope.region is not None:
        allowed[:] = False
        allowed[scope.region] = True
    for mask in (scope.selection, None if scope.locked is None else ~scope.locked):
        allowed &= True if mask is None else mask
    assert not (changed & ~allowed).any()
    for label in scope.locked_labels:
        np.testing.assert_array_equal(labels == label, before == label)

    change.undo(labels)
    np.testing.assert_array_equal(labels, before)


@pytest.mark.parametrize(
    "name",
    [name for name in VOLUME_TOOLS if not name.startswith(("put", "split", "copy"))],
)
@given(data=st.data())
@few
def test_a_turned_mask_gives_the_turned_answer(name: str, data: st.DataObject) -> None:
    """An organ must not be treated otherwise because its scan was stored the other way round."""
    labels = data.draw(masks(3))
    scope = data.draw(st.sampled_from([EVERYWHERE, Scope(axis=0), Scope(axis=2)]))
    if name.startswith("keep"):
        assume(_sizes_differ(labels, scope.axis))
    order = data.draw(st.permutations([0, 1, 2])) if "interpolate" not in name else [0, 1, 2]
    flips = data.draw(st.frozensets(st.integers(0, 2)))
    spacing = spacing_of(3)

    def turn(array: np.ndarray) -> np.ndarray:
        return np.flip(array.transpose(order), tuple(flips))

    axis = None if scope.axis is None else order.index(scope.axis)
    tool = tools(labels.shape)[name]
    straight = after(labels, tool(labels, spacing, scope))
    turned = turn(labels)
    result = after(turned, tool(turned, tuple(spacing[i] for i in order), Scope(axis=axis)))
    np.testing.assert_array_equal(result, turn(straight))


def _sizes_differ(labels: np.ndarray, axis: int | None) -> bool:
    """Return whether it is clear which object of a class is the largest."""
    planes = [labels] if axis is None else np.moveaxis(labels, axis, 0)
    for plane in planes:
        for label in (1, 2, 3):
            sizes = np.sort(np.bincount(connected(plane == label)[0].ravel())[1:])
            if sizes.size > 1 and sizes[-1] == sizes[-2]:
                return False
    return True


TWICE = ["keep", "islands", "holes", "small holes", "replace", "put", "copy", "interpolate"]


@pytest.mark.parametrize("name", [n for n in VOLUME_TOOLS if n.startswith(tuple(TWICE))])
@given(data=st.data())
@few
def test_twice_is_once(name: str, data: st.DataObject) -> None:
    labels = data.draw(masks(3))
    scope = data.draw(scopes(labels.shape))
    if name.startswith(("keep", "islands")):
        # With a region, what was removed may join an object that the region does not reach.
        scope = Scope(axis=scope.axis, locked_labels=scope.locked_labels, locked=scope.locked)
    tool = tools(labels.shape)[name]
    once = everything(tool, labels, scope)
    assert run(tool(once, spacing_of(3), scope)).empty


@pytest.mark.parametrize("name", VOLUME_TOOLS)
@given(data=st.data())
@few
def test_blocks_leave_no_seams(name: str, data: st.DataObject) -> None:
    labels = data.draw(masks(3))
    scope = data.draw(scopes(labels.shape))
    tool = tools(labels.shape)[name]
    whole = everything(tool, labels, scope)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "_VOXELS_AT_ONCE", 8)
        np.testing.assert_array_equal(everything(tool, labels, scope), whole)


@pytest.mark.parametrize("name", VOLUME_TOOLS)
def test_every_tool_can_be_stopped_and_says_how_far_it_is(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "_VOXELS_AT_ONCE", 100)
    labels = np.zeros((9, 12, 12), np.uint8)
    labels[1:4, 1:5, 1:5] = labels[6:8, 6:11, 6:11] = 1
    labels[2, 2, 2] = 0
    labels[8, 1, 1] = 2
    before = labels.copy()
    tool: Tool = tools(labels.shape)[name]
    steps: list[Progress] = []
    run(tool(labels, (1.0, 1.0, 1.0), EVERYWHERE), steps.append)
    assert steps
    assert all(0 <= step.step < step.total and step.message for step in steps)
    assert [s.step for s in steps] == sorted(s.step for s in steps)
    job = tool(labels, (1.0, 1.0, 1.0), EVERYWHERE)
    next(job)
    job.close()
    np.testing.assert_array_equal(labels, before)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint32, np.int64])
def test_labels_of_any_type(dtype: Any) -> None:
    labels = ball((9, 9), 3, (1, 1)).astype(dtype)
    labels[labels > 0] = 100
    labels[4, 4] = 0
    change = run(edit.fill_holes(labels, (1.0, 1.0)))
    assert change.new.dtype == change.old.dtype == dtype
    assert change.new.tolist() == [100]


def test_labels_of_millions() -> None:
    labels = np.zeros((6, 8), np.uint32)
    labels[:3, :3] = 4_000_000_000
    labels[1, 1] = 0
    labels[4, 5] = 3_999_999_999
    assert run(edit.fill_holes(labels, (1.0, 1.0))).new.tolist() == [4_000_000_000]
    change = run(edit.remove_islands(labels, (1.0, 1.0), smaller_than=2))
    assert change.old.tolist() == [3_999_999_999]
    grown = after(labels, edit.grow(labels, (1.0, 1.0), distance=1))
    assert grown[3, 5] == 3_999_999_999
    assert grown[3, 1] == 4_000_000_000


@pytest.mark.parametrize("name", VOLUME_TOOLS)
@pytest.mark.parametrize("shape", [(0, 4, 4), (1, 1, 1), (4, 5, 6)])
def test_masks_with_nothing_in_them(name: str, shape: tuple[int, ...]) -> None:
    if name.startswith(("put", "copy")):
        return
    labels = np.zeros(shape, np.uint8)
    assert run(tools(shape)[name](labels, (1.0, 1.0, 1.0), EVERYWHERE)).empty
