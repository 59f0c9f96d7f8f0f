"""What does not suit a mask is refused in words, and changes know when they are out of date."""

from __future__ import annotations

import numpy as np
import pytest

from napari_lgmsnet.core import edit
from napari_lgmsnet.core.edit import EVERYWHERE, Change, Scope
from napari_lgmsnet.core.errors import GeometryError, InputError, LGMSNetError
from napari_lgmsnet.core.progress import run
from tests.core.edit.helpers import after, ball

DISC = ball((9, 9), 3, (1, 1))
ONE = (1.0, 1.0)


@pytest.mark.parametrize(
    ("labels", "spacing", "scope", "error", "words"),
    [
        (DISC.astype(float), ONE, EVERYWHERE, InputError, "whole numbers"),
        (DISC[0], (1.0,), EVERYWHERE, InputError, "shape"),
        (-DISC.astype(int), ONE, EVERYWHERE, InputError, "negative"),
        (DISC, (1.0, 1.0, 1.0), EVERYWHERE, GeometryError, "give 2 positive"),
        (DISC, (1.0, 0.0), EVERYWHERE, GeometryError, "give 2 positive"),
        (DISC, ONE, Scope(selection=np.ones((3, 3), bool)), GeometryError, "selection has shape"),
        (DISC, ONE, Scope(locked=np.ones((9, 9), int)), GeometryError, "locked region has shape"),
        (DISC, ONE, Scope(axis=0), GeometryError, "only a volume"),
        (DISC, ONE, Scope(region=(1,)), GeometryError, "region with 1 axes"),
        (DISC, ONE, Scope(region=(9, slice(None))), GeometryError, "no plane 9"),
        (DISC, ONE, Scope(region=(slice(0, 9, 2), slice(None))), GeometryError, "no step"),
    ],
)
def test_unusable_input(
    labels: np.ndarray,
    spacing: tuple[float, ...],
    scope: Scope,
    error: type[LGMSNetError],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        run(edit.fill_holes(labels, spacing, scope))


@pytest.mark.parametrize(
    ("label", "words"), [(0, "background"), (256, "0 to 255"), (-1, "0 to 255"), (7, "locked")]
)
def test_unusable_label(label: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        run(edit.keep_largest(DISC, ONE, Scope(locked_labels=frozenset({7})), label=label))


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (edit.remove_islands(DISC, ONE, smaller_than=-1), "size of islands"),
        (edit.remove_islands(DISC, ONE, smaller_than=float("nan")), "size of islands"),
        (edit.fill_holes(DISC, ONE, up_to=-1), "size of holes"),
        (edit.smooth(DISC, ONE, width=0), "width"),
        (edit.grow(DISC, ONE, distance=-1), "distance"),
        (edit.grow(DISC, ONE, distance=1, overwrite=True), "choose the one"),
        (edit.shrink(DISC, ONE, distance=float("inf")), "distance"),
        (edit.split(DISC, ONE, label=1, waist=0), "waist"),
        (edit.replace(DISC, ONE, label=1, by=300), "0 to 255"),
        (edit.interpolate(DISC, ONE), "only a volume"),
        (edit.copy_slice(DISC, ONE, source=0, target=1), "no planes"),
        (edit.copy_slice(DISC[None], (1, 1, 1), source=0, target=1), "no plane 1"),
        (edit.put(DISC, ONE, proposal=DISC[1:]), "the proposal has shape"),
        (edit.put(DISC, ONE, proposal=DISC.astype(int) * 400), "0 to 255"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unusable_setting(job: object, words: str) -> None:
    with pytest.raises(LGMSNetError, match=words):
        run(job)  # type: ignore[arg-type]


def test_a_change_does_not_overwrite_what_was_painted_meanwhile() -> None:
    labels = DISC.copy()
    labels[4, 4] = 0
    change = run(edit.fill_holes(labels, ONE))
    labels[4, 4] = 2
    with pytest.raises(InputError, match="edited while"):
        change.apply(labels)
    assert labels[4, 4] == 2
    labels[4, 4] = 0
    change.apply(labels)
    labels[4, 4] = 3
    with pytest.raises(InputError, match="undo the later edits"):
        change.undo(labels)
    assert labels[4, 4] == 3


def test_a_change_of_a_part_finds_its_place_in_the_whole() -> None:
    series = np.zeros((3, 12, 14), np.uint8)
    box = (1, slice(2, 11), slice(4, 13))
    series[box] = DISC
    series[1, 6, 8] = 0
    change = run(edit.fill_holes(series[box], ONE)).placed(box)
    assert [axis.tolist() for axis in change.indices] == [[1], [6], [8]]
    change.apply(series)
    assert series[1, 6, 8] == 1


def test_a_region_of_no_voxels_changes_nothing() -> None:
    labels = np.zeros((4, 9, 9), np.uint8)
    labels[1] = DISC
    for scope in (
        Scope(region=(slice(2, 2), slice(None), slice(None))),
        Scope(selection=np.zeros(labels.shape, bool)),
    ):
        assert isinstance(run(edit.grow(labels, (1, 1, 1), scope, distance=2)), Change)
        assert run(edit.grow(labels, (1, 1, 1), scope, distance=2)).empty


def test_one_plane_on_screen_is_an_image_of_its_own() -> None:
    labels = np.zeros((5, 9, 9), np.uint8)
    labels[:] = DISC
    labels[1:4, 4, 4] = 0
    labels[2, 0, 0] = 1
    on_screen = Scope(region=(2, slice(None), slice(None)), axis=0)
    filled = after(labels, edit.fill_holes(labels, (1, 1, 1), on_screen))
    assert filled[:, 4, 4].tolist() == [1, 0, 1, 0, 1]
    kept = after(labels, edit.keep_largest(labels, (1, 1, 1), on_screen))
    assert kept[2, 0, 0] == 0
