"""Edits on screen and on the image's own grid."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from napari.layers import Labels

from napari_lgmsnet.adapters.case_view import CaseView
from napari_lgmsnet.core.project import Edit


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("old", [False, True])
def test_an_edit_on_screen_is_the_same_on_the_grid(order, old):
    rng = np.random.default_rng(0)
    grid = rng.integers(0, 9, (4, 5, 6), dtype=np.uint8)
    view = CaseView(1, (), Labels(view_of(grid, order)), order)
    np.testing.assert_array_equal(view.on_screen(grid), view.mask.data)
    shape = view.mask.data.shape
    where = tuple(rng.integers(0, size, 12) for size in shape)
    box = tuple(slice(0, size - 1) for size in shape)
    extent = tuple(size - 1 for size in shape)
    for place, new in ((where, 7), (where, np.arange(12)), (box, 3), (box, rng.random(extent) > 0)):
        screen = view.mask.data.copy()
        before = screen[place].copy()
        edit = view.on_grid(Edit(place, new, before if old else None))
        screen[place] = new
        changed = grid.copy()
        changed[edit.where] = edit.new
        np.testing.assert_array_equal(view.on_screen(changed), screen)
        if old:
            np.testing.assert_array_equal(edit.old, grid[edit.where])


def view_of(grid, order):
    return grid.transpose(order).copy()
