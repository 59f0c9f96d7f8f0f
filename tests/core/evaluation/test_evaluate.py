"""Figures of an evaluation, on masks whose figures are known."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance
from PIL import Image

from napari_lgmsnet import evaluate, predict, read, write
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.evaluation import Pair, pairs_in, pairs_of_masks
from napari_lgmsnet.core.evaluation.scores import read_reference
from napari_lgmsnet.core.evaluation.summary import ALL, interval
from napari_lgmsnet.core.types import Volume
from tests.core.helpers import small_model

GENERATOR = np.random.default_rng(0)


def box(shape: tuple[int, ...], *ends: tuple[int, int], label: int = 1) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(*one) for one in ends)] = label
    return mask


def labels(data: np.ndarray, spacing: tuple[float, ...] | None = None, name: str = "a") -> Volume:
    return Volume.from_array(data, "ZYX"[-data.ndim :], spacing, name)


def pair(name: str, mask: np.ndarray, reference: np.ndarray, spacing: tuple | None = None) -> Pair:
    return Pair(name, labels(reference, spacing, name), mask=labels(mask, spacing, name))


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")
def test_figures_are_those_of_the_definitions_and_of_monai() -> None:
    mask = box((20, 24, 30), (3, 12), (4, 16), (5, 20))
    reference = box((20, 24, 30), (4, 14), (4, 18), (8, 21))
    spacing = (2.5, 0.8, 0.8)
    found = evaluate(None, [pair("a", mask, reference, spacing)])
    (one,) = found.scores
    both = 8 * 12 * 12
    assert (one.both, one.found, one.expected) == (both, mask.sum(), reference.sum())
    assert one.dice == pytest.approx(2 * both / (mask.sum() + reference.sum()))
    assert one.iou == pytest.approx(both / (mask.sum() + reference.sum() - both))
    assert one.precision == pytest.approx(both / mask.sum())
    assert one.recall == pytest.approx(both / reference.sum())
    tensors = [torch.from_numpy(a)[None, None].float() for a in (mask, reference)]
    hd95 = compute_hausdorff_distance(*tensors, percentile=95, spacing=spacing)
    surface = compute_average_surface_distance(*tensors, symmetric=True, spacing=spacing)
    assert one.hd95 == pytest.approx(float(hd95), rel=1e-5)
    assert one.surface_distance == pytest.approx(float(surface), rel=1e-5)
    assert one.unit == "mm"


def test_cases_without_the_class_count_as_alarms_and_in_no_mean() -> None:
    shape = (16, 16)
    square, empty = box(shape, (2, 8), (2, 8)), np.zeros(shape, np.uint8)
    found = evaluate(
        None,
        [
            pair("right", square, square),
            pair("missed", empty, square),
            pair("alarm", square, empty),
            pair("quiet", empty, empty),
        ],
    )
    dice, alarms = found.figure("Dice"), found.figure("false alarms")
    assert (dice.cases, dice.mean) == (2, 0.5)
    assert (alarms.cases, alarms.mean) == (2, 0.5)
    # As one image: of 72 expected voxels 36 were found, and 36 others.
    assert found.figure("recall").pooled == 0.5
    assert found.figure("precision").pooled == 0.5
    assert found.figure("HD95").cases == 1  # no distance to what is not there
    assert [case for case, _ in found.ranking()] == ["missed", "right"]
    missed = next(one for one in found.scores if one.case == "missed")
    assert np.isnan(missed.hd95)
    assert "the mask does not show" in missed.reason


def test_several_classes_have_means_of_their_own_and_one_over_all() -> None:
    shape = (12, 12)
    reference = box(shape, (0, 4), (0, 4)) + box(shape, (6, 10), (6, 10), label=2)
    mask = box(shape, (0, 4), (0, 4)) + box(shape, (6, 8), (6, 10), label=2)
    found = evaluate(None, [pair("a", mask, reference), pair("b", reference, reference)])
    assert found.figure("Dice", "label 1").mean == 1
    assert found.figure("Dice", "label 2").mean == pytest.approx((16 / 24 + 1) / 2)
    assert found.figure("Dice").class_name == ALL
    assert found.figure("Dice").mean == pytest.approx(((1 + 16 / 24) / 2 + 1) / 2)
    with pytest.raises(InputError, match="no figure"):
        found.figure("accuracy")


def test_intervals_hold_the_mean_narrow_with_cases_and_repeat() -> None:
    values = GENERATOR.normal(0.7, 0.1, 400)
    few, many = interval(values[:20]), interval(values)
    assert few[0] < values[:20].mean() < few[1]
    assert many[0] < values.mean() < many[1]
    assert many[1] - many[0] < few[1] - few[0]
    # The textbook's interval, which the bootstrap of a mean comes close to.
    assert many[1] - many[0] == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert interval(values[:20]) == few
    assert np.isnan(interval(values[:1])).all()


def test_a_checkpoint_is_evaluated_on_what_it_predicts(tmp_path: Path) -> None:
    model = small_model(2, in_channels=3, colour="rgb", size=(32, 32))
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    expected = []
    for name in ("a", "b"):
        pixels = GENERATOR.integers(0, 255, (40, 44, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{name}.png")
        own = predict(model, read(tmp_path / "images" / f"{name}.png")).labels.astype(bool)
        other = box((40, 44), (0, 30), (4, 40)).astype(bool)
        Image.fromarray((other * 255).astype(np.uint8)).save(tmp_path / "masks" / f"{name}.png")
        expected.append(2 * (own & other).sum() / (own.sum() + other.sum()))
    found = evaluate(model, tmp_path)
    assert found.figure("Dice").mean == pytest.approx(np.mean(expected))
    assert found.checkpoint == model.info.name
    assert evaluate(model, tmp_path, listed=["b.png"]).figure("Dice").cases == 1


def test_a_reference_elsewhere_in_space_is_refused(tmp_path: Path) -> None:
    data = box((8, 8, 8), (2, 5), (2, 5), (2, 5))
    for name, shift in (("a.nii.gz", 0), ("b.nii.gz", 4)):
        affine = np.eye(4)
        affine[0, 3] = shift
        nib.save(nib.Nifti1Image(data, affine), tmp_path / name)
    moved = Pair("moved", tmp_path / "a.nii.gz", mask=tmp_path / "b.nii.gz")
    same = Pair("same", tmp_path / "a.nii.gz", mask=tmp_path / "a.nii.gz")
    found = evaluate(None, [same, moved])
    assert found.figure("Dice").mean == 1
    ((name, reason),) = found.failures
    assert name == "moved"
    assert "same grid" in reason
    with pytest.raises(InputError, match="no case could be evaluated"):
        evaluate(None, [moved])


def test_grey_levels_are_understood_where_only_one_reading_is_possible() -> None:
    white = labels(np.array([[0, 255], [255, 0]], np.uint8))
    grey = labels(np.array([[3, 250], [130, 60]], np.uint8))
    classes = labels(np.array([[0, 1], [2, 0]], np.uint8))
    assert read_reference(white, 2).data.tolist() == [[0, 1], [1, 0]]
    assert read_reference(white, None).data.tolist() == [[0, 1], [1, 0]]
    assert read_reference(grey, 2).data.tolist() == [[0, 1], [1, 0]]
    assert read_reference(classes, 3).data.tolist() == [[0, 1], [2, 0]]
    assert read_reference(classes, None, 1).data.tolist() == [[0, 0], [1, 0]]
    with pytest.raises(InputError, match="holds the label 2; known are 0 to 1"):
        read_reference(classes, 2)


def test_every_missing_file_is_named(tmp_path: Path) -> None:
    for kind, names in (("images", "abc"), ("masks", "cd")):
        (tmp_path / kind).mkdir()
        for name in names:
            Image.new("L", (8, 8)).save(tmp_path / kind / f"{name}.png")
    with pytest.raises(InputError, match='"a" has no mask; "b" has no mask'):
        pairs_in(tmp_path)
    assert [one.name for one in pairs_in(tmp_path, listed=["c"])] == ["c"]
    with pytest.raises(InputError, match='"d" has no image'):
        pairs_in(tmp_path, listed=["d"])
    with pytest.raises(InputError, match="no list"):
        pairs_in(tmp_path, listed="none.txt")
    with pytest.raises(InputError, match='"d" has no mask'):
        pairs_of_masks(tmp_path / "images", tmp_path / "masks")


def test_tables_name_their_files_from_where_they_lie(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("a b.png", "m.png"):
        Image.new("L", (8, 8)).save(folder / name)
    table = folder / "cases.csv"
    table.write_text("\ufeffName;Image;Mask\none;a b.png;m.png\n", encoding="utf-8")
    (one,) = pairs_in(table)
    assert one == Pair("one", folder / "m.png", image=folder / "a b.png")
    table.write_text("image,mask\nnone.png,m.png\n")
    with pytest.raises(InputError, match=r"none\.png"):
        pairs_in(table)
    table.write_text("picture,mask\na b.png,m.png\n")
    with pytest.raises(InputError, match="columns picture, mask"):
        pairs_in(table)


def test_folders_inside_are_looked_into_and_masks_found_by_their_paths(tmp_path: Path) -> None:
    for kind in ("images", "masks", "made"):
        for place in ("", "north", "south/ward 1", ".hidden"):
            folder = tmp_path / kind / place
            folder.mkdir(parents=True, exist_ok=True)
            name = "case_mask" if kind == "made" else "case"
            write(folder / f"{name}.png", labels(np.ones((4, 4), np.uint8)))
    names = ["case", "north/case", "south/ward 1/case"]
    found = pairs_in(tmp_path)
    assert [one.name for one in found] == names
    made = pairs_of_masks(tmp_path / "made", tmp_path / "masks")
    assert [one.name for one in made] == names
    for one, other in zip(found, made, strict=True):
        assert one.image == tmp_path / "images" / f"{one.name}.png"
        assert one.reference == other.reference == tmp_path / "masks" / f"{one.name}.png"
        assert other.mask == tmp_path / "made" / f"{one.name}_mask.png"
    (tmp_path / "some.txt").write_text(
        "\ufeffnorth/case.png\nsouth/ward 1/case\n", encoding="utf-8"
    )
    assert [one.name for one in pairs_in(tmp_path, listed="some.txt")] == names[1:]
    # The same name elsewhere is another case.
    (tmp_path / "masks" / "north" / "case.png").unlink()
    with pytest.raises(InputError, match='"north/case" has no mask'):
        pairs_in(tmp_path)
    with pytest.raises(InputError, match='"north/case" has no image'):
        pairs_in(tmp_path, images="masks", masks="images", listed=["north/case"])


def test_one_folder_may_hold_the_other(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    for place in (tmp_path, tmp_path / "masks"):
        write(place / "a.png", labels(np.ones((4, 4), np.uint8)))
    (found,) = pairs_in(tmp_path, images=".")
    assert (found.name, found.image) == ("a", tmp_path / "a.png")
    assert found.reference == tmp_path / "masks" / "a.png"
