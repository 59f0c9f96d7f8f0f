"""Reference images from a folder: with masks, without, too few; and what replay is for."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from napari_lgmsnet.core.distillation import distance_from_teacher
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.finetune import references_from_folder
from napari_lgmsnet.core.finetune.examples import Example
from napari_lgmsnet.core.finetune.references import ENOUGH, spread
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.types import Volume


def write(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        tifffile.imwrite(folder / f"{number:03}.tif", np.full((8, 9), number, np.uint8))


def test_images_alone_are_evenly_spread(tmp_path: Path) -> None:
    write(tmp_path / "earlier", 3 * ENOUGH)
    (tmp_path / "earlier" / "notes.txt").write_text("no image")
    found = run(references_from_folder(tmp_path / "earlier"))
    assert len(found) == ENOUGH
    assert all(isinstance(one, Volume) for one in found)
    values = [int(np.max(one.data)) for one in found if isinstance(one, Volume)]
    assert set(np.diff(values)) == {3}


def test_masks_make_them_examples(tmp_path: Path) -> None:
    write(tmp_path / "images", 3)
    write(tmp_path / "masks", 3)
    found = run(references_from_folder(tmp_path))
    assert [one.name for one in found] == ["000", "001", "002"]
    assert all(isinstance(one, Example) for one in found)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_are_refused(tmp_path: Path, count: int) -> None:
    write(tmp_path / "earlier", count)
    with pytest.raises(InputError, match="at least 2"):
        run(references_from_folder(tmp_path / "earlier"))


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="choose another"):
        run(references_from_folder(tmp_path / "nowhere"))


@pytest.mark.parametrize(("count", "most"), [(1, 24), (5, 24), (24, 24), (25, 24), (1000, 24)])
def test_spread_places_differ_and_exist(count: int, most: int) -> None:
    places = spread(count, most)
    assert len(set(places)) == len(places) == min(count, most)
    assert min(places) >= 0
    assert max(places) < count


@pytest.mark.parametrize("channels", [1, 3])
def test_distance_from_the_parent(channels: int) -> None:
    generator = torch.Generator().manual_seed(0)
    parent = torch.randn(2, channels, 6, 7, generator=generator)
    known = torch.ones(2, 1, 6, 7, dtype=torch.bool)
    other = parent + torch.randn(parent.shape, generator=generator)
    assert distance_from_teacher(parent, parent, known).item() == pytest.approx(0.0, abs=1e-6)
    apart = distance_from_teacher(other, parent, known)
    assert apart > 0.01
    # What does not count may be anything.
    known[0] = False
    elsewhere = other.clone()
    elsewhere[0] = 50.0
    expected = distance_from_teacher(other[1:], parent[1:], known[1:])
    assert distance_from_teacher(elsewhere, parent, known) == pytest.approx(expected.item())


def test_one_channel_is_two_classes() -> None:
    generator = torch.Generator().manual_seed(1)
    parent, logits = torch.randn(2, 1, 1, 4, 4, generator=generator)
    known = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    p, q = parent.sigmoid(), logits.sigmoid()
    by_hand = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()
    for counted in (known, None):
        apart = distance_from_teacher(logits, parent, counted)
        assert apart.item() == pytest.approx(by_hand.item(), 1e-4)
