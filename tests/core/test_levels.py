"""Which level of a pyramid a recipe gets."""

import numpy as np
import pytest

from napari_lgmsnet.core.levels import choose_level
from tests.core.helpers import small_recipe

FLAT = [(1024, 2048), (512, 1024), (256, 512), (128, 256)]
SOLID = [(64, 256, 256), (64, 128, 128), (32, 64, 64)]


@pytest.mark.parametrize(
    ("size", "expected"), [((256, 256), 2), ((257, 256), 1), ((128, 128), 3), ((4096, 4096), 0)]
)
def test_fixed_size_gets_the_coarsest_that_is_not_smaller(
    size: tuple[int, int], expected: int
) -> None:
    assert choose_level(FLAT, np.eye(3), "pixel", small_recipe(2, size=size)) == expected


def test_image_that_keeps_its_size_gets_the_finest() -> None:
    assert choose_level(FLAT, np.eye(3), "pixel", small_recipe(2)) == 0
    recipe = small_recipe(2, size=(64, 64))
    assert choose_level(FLAT, np.eye(3), "pixel", recipe, native=True) == 0


def test_part_decides_where_only_a_part_is_shown() -> None:
    recipe = small_recipe(2, size=(64, 64))
    assert choose_level(FLAT, np.eye(3), "pixel", recipe, part=(256, 300)) == 2
    assert choose_level(FLAT, np.eye(3), "pixel", recipe, part=(10, 10)) == 0


@pytest.mark.parametrize(
    ("spacing", "own", "expected"),
    [
        ((2.0, 2.0, 1.0), (1.0, 1.0, 1.0), 1),
        ((2.0, 2.0, 2.0), (1.0, 1.0, 1.0), 1),
        ((4.0, 4.0, 2.0), (1.0, 1.0, 1.0), 2),
        ((0.5, 0.5, 0.5), (1.0, 1.0, 1.0), 0),
        ((2.0, 2.0, 2.0), (1.0, 1.0005, 1.0), 1),
    ],
)
def test_spacing_gets_the_coarsest_that_is_not_coarser(
    spacing: tuple[float, ...], own: tuple[float, ...], expected: int
) -> None:
    recipe = small_recipe(3, spacing=spacing, orientation="RAS")
    assert choose_level(SOLID, np.diag([*own, 1.0]), "mm", recipe) == expected


def test_spacing_means_nothing_without_a_physical_size() -> None:
    recipe = small_recipe(3, spacing=(9.0, 9.0, 9.0), orientation="RAS")
    assert choose_level(SOLID, np.eye(4), "pixel", recipe) == 0


def test_spacing_is_compared_along_the_body_and_not_along_the_array() -> None:
    """The recipe's third axis is up, which is the array's first here and its last there."""
    recipe = small_recipe(3, spacing=(1.0, 1.0, 4.0), orientation="RAS")
    thick = [(64, 64, 64), (16, 64, 64)]
    assert choose_level(thick, np.eye(4), "mm", recipe) == 1
    stored = np.zeros((4, 4))  # x first and running to the left, z last and turned a little
    stored[2, 0], stored[1, 1], stored[0, 2], stored[3, 3] = -1.0, 1.0, 1.0, 1.0
    stored[1, 2] = 0.03
    assert choose_level([(64, 64, 64), (64, 64, 16)], stored, "mm", recipe) == 1
    assert choose_level(thick, stored, "mm", recipe) == 0


def test_size_is_that_of_the_slices_that_the_network_gets() -> None:
    recipe = small_recipe(2, size=(128, 128), orientation="SPL")
    levels = [(40, 512, 512), (20, 256, 256), (10, 128, 128), (5, 64, 64)]
    assert choose_level(levels, np.eye(4), "mm", recipe) == 2
    coronal = np.eye(4)[[1, 0, 2, 3]]  # the first axis runs to the back
    moved = [(b, a, c) for a, b, c in levels]
    assert choose_level(moved, coronal, "mm", recipe) == 2
