"""Foreground attention in numbers, against the slow way of counting pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inspect.grid import CellGrid
from napari_lgmsnet.core.inspect.maps import CoarseMap, stage_map
from napari_lgmsnet.core.inspect.numbers import number_stages, summarise, write_table
from napari_lgmsnet.core.inspect.scores import (
    classes_in,
    count,
    rank_channels,
    score,
    score_map,
)
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.types import Volume
from tests.core.helpers import small_model
from tests.core.inspect.helpers import averaging_model, look

GENERATOR = np.random.default_rng(0)


def on_pixels(values: np.ndarray) -> CoarseMap:
    """Return a map whose cells are the pixels."""
    shape = values.shape
    cells = CellGrid(shape, (0.0,) * values.ndim, (1.0,) * values.ndim, shape)
    volume = Volume.from_array(np.zeros(shape), "ZYX"[-values.ndim :])
    return CoarseMap(values, cells, volume, "test", "test")


def slowly(values: np.ndarray, mask: np.ndarray) -> tuple[float, ...]:
    """Score a map pixel by pixel."""
    seen = np.isfinite(values)
    values, mask = values[seen].astype(float), mask[seen]
    energy = (values[mask] ** 2).sum() / (values**2).sum()
    pointing = mask[values == values.max()].mean()
    positives, negatives = mask.sum(), (~mask).sum()
    ranks = rankdata(values)[mask].sum()
    auc = (ranks - positives * (positives + 1) / 2) / (positives * negatives)
    overlaps = [
        2 * (mask & (values >= t)).sum() / (positives + (values >= t).sum())
        for t in np.unique(values)
    ]
    return mask.mean(), energy, pointing, auc, max(overlaps)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    step=st.sampled_from([0.4, 1.0, 3.7, 16.0]),
    first=st.floats(-4.0, 6.0),
    share=st.sampled_from([0.02, 0.5, 0.97]),
)
def test_counting_in_cells_is_counting_pixels(
    seed: int, step: float, first: float, share: float
) -> None:
    generator = np.random.default_rng(seed)
    shape = (23, 31)
    cells = CellGrid((9, 12), (first, first / 2), (step, 1.3 * step), shape)
    # Few different values, so that many are equal.
    values = generator.integers(-3, 4, cells.shape).astype(np.float32)
    mask = generator.random(shape) < share
    coarse = CoarseMap(values, cells, Volume.from_array(np.zeros(shape), "YX"), "s", "k")
    on_grid = coarse.on_grid().data
    seen = np.isfinite(on_grid)
    counts = count(cells, mask)
    assert counts.inside.sum() == mask[seen].sum()
    assert counts.outside.sum() == (~mask)[seen].sum()
    if not mask[seen].any() or mask[seen].all() or not on_grid[seen].any():
        return
    found = score_map(coarse, mask)
    expected = slowly(on_grid, mask)
    own = (found.foreground, found.energy, found.pointing, found.auc, found.dice)
    np.testing.assert_allclose(own, expected, atol=1e-9)
    assert found.iou == pytest.approx(found.dice / (2 - found.dice))


def test_a_map_equal_to_the_mask_has_all_and_its_complement_nothing() -> None:
    mask = np.zeros((20, 30), dtype=bool)
    mask[5:9, 10:20] = True
    same = score_map(on_pixels(mask.astype(np.float32)), mask)
    assert (same.energy, same.pointing, same.auc, same.dice, same.iou) == (1, 1, 1, 1, 1)
    other = score_map(on_pixels(1.0 - mask.astype(np.float32)), mask)
    assert (other.energy, other.pointing, other.auc) == (0, 0, 0)
    even = score_map(on_pixels(np.ones((20, 30), np.float32)), mask)
    assert even.energy == even.foreground == even.pointing == mask.mean()
    assert even.auc == 0.5


def test_nothing_can_be_said_without_foreground() -> None:
    values = on_pixels(GENERATOR.random((4, 5)).astype(np.float32))
    none = score_map(values, np.zeros((4, 5), dtype=bool))
    assert np.isnan(
        [none.foreground, none.energy, none.pointing, none.auc, none.dice, none.iou]
    ).all()
    everything = score_map(values, np.ones((4, 5), dtype=bool))
    assert (everything.energy, everything.pointing, everything.dice) == (1, 1, 1)
    assert np.isnan(everything.auc)
    dark = score_map(on_pixels(np.zeros((4, 5), np.float32)), np.eye(4, 5, dtype=bool))
    assert np.isnan(dark.energy)


def test_the_energy_of_a_norm_is_that_of_all_channels() -> None:
    inspection = look(small_model(2), Volume.from_array(GENERATOR.normal(size=(64, 64)), "YX"))
    mask = GENERATOR.random((64, 64)) > 0.6
    energies = inspection.features("encoder5").astype(np.float64) ** 2
    inside = count(inspection.cells("encoder5"), mask).inside
    expected = (energies.sum(axis=0) * inside).sum() / (energies.sum(axis=0) * 256).sum()
    coarse = stage_map(inspection, "encoder5", "norm")
    assert score_map(coarse, mask).energy == pytest.approx(expected, rel=1e-5)


def test_channels_are_ranked_by_how_well_they_separate() -> None:
    inspection = look(small_model(2), Volume.from_array(GENERATOR.normal(size=(64, 64)), "YX"))
    features = inspection._features["encoder5"].data
    mask = np.zeros((64, 64), dtype=bool)
    mask[16:48, 16:48] = True
    features[5] = np.where(mask[8::16, 8::16], 2.0, 1.0)
    features[3] = np.where(mask[8::16, 8::16], -2.0, 1.0)
    features[3, 0, 0] = -3.0
    ranked = run(rank_channels(inspection, "encoder5", mask))
    assert [channel for channel, _ in ranked[:2]] == [5, 3]
    assert ranked[0][1] == 1.0
    assert ranked[1][1] == pytest.approx(1 / 12)
    assert sorted(channel for channel, _ in ranked) == list(range(8))
    for wrong in (np.zeros_like(mask), np.ones_like(mask)):
        with pytest.raises(InputError, match="no channel separates it"):
            run(rank_channels(inspection, "encoder5", wrong))


def test_classes_by_name() -> None:
    volume = Volume.from_array(np.zeros((4, 4)), "YX")
    mask = np.array([[0, 0, 2, 2]] * 3 + [[7, 0, 0, 0]])
    several = look(small_model(2, out_channels=4), volume)
    found = classes_in(several, mask)
    assert list(found) == ["all classes", "class 1", "class 2", "class 3", "label 7"]
    assert found["all classes"].sum() == 7
    assert found["class 2"].sum() == 6
    one = look(small_model(2), volume)
    assert list(classes_in(one, (mask == 2) * 255)) == ["foreground"]
    assert list(classes_in(one, np.zeros((4, 4), int))) == ["foreground"]
    assert list(classes_in(one, mask)) == ["all classes", "foreground", "label 2", "label 7"]
    with pytest.raises(InputError, match=r"\(5, 4\).*\(4, 4\)"):
        classes_in(one, np.zeros((5, 4), int))


def test_a_table_of_stages_and_its_csv(tmp_path: Path) -> None:
    model = small_model(2, out_channels=3)
    volume = Volume.from_array(GENERATOR.normal(size=(40, 50)), "YX", name="first")
    mask = np.zeros((40, 50), dtype=np.uint8)
    mask[10:20, 10:30] = 1
    inspection = look(model, volume, ["encoder5", "stem"])
    rows, spectra = number_stages(inspection, mask, "norm")
    assert [(r.stage, r.class_name) for r in rows] == [
        (stage, name)
        for stage in ("stem", "encoder5")
        for name in ("all classes", "class 1", "class 2")
    ]
    assert set(spectra) == {"stem", "encoder5"}
    assert rows[0].effective_rank == spectra["stem"].effective_rank
    assert np.isnan(rows[2].energy)
    expected = score(
        stage_map(inspection, "stem", "norm").data, count(inspection.cells("stem"), mask == 1)
    )
    assert rows[1].energy == expected.energy
    write_table(tmp_path / "numbers.csv", rows)
    lines = (tmp_path / "numbers.csv").read_text().splitlines()
    assert lines[0].startswith("case,checkpoint,stage,reduce,class_name,foreground,energy,pointing")
    assert lines[2].startswith("first,small-2d,stem,norm,class 1,0.1,")
    assert lines[3].split(",")[5:11] == [""] * 6
    with pytest.raises(InputError, match="exists"):
        write_table(tmp_path / "numbers.csv", rows)
    without, _ = number_stages(inspection, None)
    assert [row.class_name for row in without] == ["", ""]
    colours, _ = number_stages(inspection, mask, "components")
    assert [row.energy for row in colours[:2]] == [row.energy for row in rows[:2]]
    assert colours[0].reduce == "norm"


def test_a_summary_over_cases_leaves_out_empty_ones() -> None:
    rows = []
    for left in (0, 4, 10):
        image = np.full((32, 32), 100.0, dtype=np.float32)
        mask = np.zeros((32, 32), dtype=np.uint8)
        mask[:16, :left] = 1
        inspection = look(averaging_model(2), Volume.from_array(image, "YX"), ["encoder3"])
        rows += number_stages(inspection, mask)[0]
    summaries = {one.measure: one for one in summarise(rows)}
    energy = summaries["energy"]
    assert (energy.stage, energy.class_name, energy.cases) == ("encoder3", "foreground", 2)
    shares = [4 * 16 / 1024, 10 * 16 / 1024]
    assert energy.mean == pytest.approx(np.mean(shares))
    assert energy.median == pytest.approx(np.median(shares))
    assert (energy.low, energy.high) == pytest.approx(tuple(np.percentile(shares, (25, 75))))
    assert summaries["effective_rank"].cases == 3
