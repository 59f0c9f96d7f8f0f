"""Touching objects come apart where they are narrow, and round ones stay whole."""

from __future__ import annotations

import numpy as np
import pytest

from napari_lgmsnet.core import edit
from napari_lgmsnet.core.components import connected
from napari_lgmsnet.core.edit import Scope
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.progress import run
from tests.core.edit.helpers import after, ball


def two_balls(spacing: tuple[float, ...], radius: float = 8, apart: float = 13) -> np.ndarray:
    """Two balls in mm that overlap: their waist is 2 * sqrt(radius² - (apart / 2)²) wide."""
    size = [2 * radius + 4] * (len(spacing) - 1) + [2 * radius + apart + 4]
    shape = tuple(round(n / s) for n, s in zip(size, spacing, strict=True))
    grid = np.indices(shape, dtype=float)
    mm = [g * s for g, s in zip(grid, spacing, strict=True)]
    middle = [radius + 2] * len(spacing)
    inside = np.zeros(shape, bool)
    for shift in (0, apart):
        centre = [*middle[:-1], middle[-1] + shift]
        inside |= sum((m - c) ** 2 for m, c in zip(mm, centre, strict=True)) <= radius**2
    return inside.astype(np.uint8)


@pytest.mark.parametrize("spacing", [(1, 1), (0.5, 1), (1, 1, 1), (2, 0.8, 0.8)])
def test_a_line_parts_two_objects_at_the_waist(spacing: tuple[float, ...]) -> None:
    labels = two_balls(spacing)
    assert connected(labels > 0)[1] == 1
    change = run(edit.split(labels, spacing, label=1))
    assert (change.new == 0).all()
    parted = labels.copy()
    change.apply(parted)
    objects, count = connected(parted > 0)
    assert count == 2
    sizes = np.bincount(objects.ravel())[1:]
    assert sizes.min() > 0.9 * sizes.max()
    # The line lies where the waist is.
    assert abs(change.indices[-1] * spacing[-1] - (10 + 13 / 2)).max() <= 2 * max(spacing)


def test_new_labels_and_no_voxel_lost() -> None:
    labels = two_balls((1, 1))
    labels[:4, :4] = 7
    change = run(edit.split(labels, (1, 1), label=1, into="labels"))
    after_split = labels.copy()
    change.apply(after_split)
    np.testing.assert_array_equal(after_split > 0, labels > 0)
    np.testing.assert_array_equal(after_split == 7, labels == 7)
    assert set(np.unique(after_split)) == {0, 1, 7, 8}
    assert (after_split == 1).sum() >= (after_split == 8).sum()


def test_new_labels_are_neither_classes_nor_locked() -> None:
    labels = two_balls((1, 1))
    job = edit.split(labels, (1, 1), label=1, into="labels", new_from=5)
    assert set(np.unique(after(labels, job))) == {0, 1, 5}
    locked = Scope(locked_labels=frozenset({2, 9}))
    job = edit.split(labels, (1, 1), locked, label=1, into="labels")
    assert set(np.unique(after(labels, job))) == {0, 1, 10}


def test_each_plane_of_a_volume_by_itself() -> None:
    labels = np.stack([two_balls((1, 1))] * 3)
    scope = Scope(axis=0, region=(1, slice(None), slice(None)))
    parted = after(labels, edit.split(labels, (5, 1, 1), scope, label=1))
    assert [connected(plane > 0)[1] for plane in parted] == [1, 2, 1]


@pytest.mark.parametrize("spacing", [(1, 1), (0.7, 0.7), (1, 1, 1), (2, 1, 1)])
def test_what_is_round_or_long_stays_whole(spacing: tuple[float, ...]) -> None:
    shape = tuple(int(30 / step) for step in spacing)
    disc = ball(shape, 11, spacing)
    assert run(edit.split(disc, spacing, label=1)).empty
    bar = np.zeros(shape, np.uint8)
    bar[tuple(slice(2, -2) if i else slice(n // 3, n // 2) for i, n in enumerate(shape))] = 1
    assert run(edit.split(bar, spacing, label=1)).empty


def test_the_waist_asked_for_decides() -> None:
    labels = two_balls((0.5, 0.5))  # 16 mm wide, 9.3 mm at the waist
    assert not run(edit.split(labels, (0.5, 0.5), label=1, waist=5)).empty
    assert run(edit.split(labels, (0.5, 0.5), label=1, waist=8)).empty


def test_a_chain_of_three() -> None:
    labels = np.zeros((20, 50), np.uint8)
    for centre in (10, 24, 38):
        y, x = np.ogrid[:20, :50]
        labels[(y - 10) ** 2 + (x - centre) ** 2 <= 64] = 1
    parted = after(labels, edit.split(labels, (1, 1), label=1, into="labels"))
    assert set(np.unique(parted)) == {0, 1, 2, 3}
    assert all(connected(parted == label)[1] == 1 for label in (1, 2, 3))


def test_a_mask_without_free_labels() -> None:
    labels = two_balls((1, 1))
    labels[0, 0] = 255
    with pytest.raises(InputError, match="larger type"):
        run(edit.split(labels, (1, 1), label=1, into="labels"))
