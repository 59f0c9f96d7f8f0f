"""What is doubtful comes first, in mm, and what is done does not come back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_lgmsnet.core.doubt import doubtful_regions, doubtful_slices
from napari_lgmsnet.core.errors import GeometryError, InputError
from tests.core.edit.helpers import ball

ONE = (1.0, 1.0, 1.0)
entropies = arrays(np.float32, (4, 9, 10), elements=st.sampled_from([0.0, 0.1, 0.6, 0.9, 1.0]))


def test_slices_in_order_of_doubt_times_area() -> None:
    entropy = np.zeros((4, 5, 6), np.float32)
    entropy[2, 1, 1:4] = 0.5
    entropy[0, 0, 0] = 1.0
    entropy[3, 0, 0] = 0.25
    found = doubtful_slices(entropy, (9.0, 2.0, 0.5), 0)
    assert [(one.index, one.score) for one in found] == [(2, 1.5), (0, 1.0), (3, 0.25)]
    found = doubtful_slices(entropy, (9.0, 2.0, 0.5), 2)
    assert (found[0].index, found[0].score) == (0, pytest.approx(1.25 * 18))


def test_done_slices_do_not_come_back() -> None:
    entropy = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    done = np.zeros(entropy.shape, bool)
    seen = []
    while found := doubtful_slices(entropy, ONE, 0, done=done):
        seen.append(found[0].index)
        done[found[0].index] = True
    assert sorted(seen) == [0, 1, 2, 3]


def test_a_region_says_how_much_where_and_where_to_look() -> None:
    entropy = np.zeros((5, 40, 40), np.float32)
    entropy[2, 5:8, 5:9] = 0.8
    entropy[3, 30, 30:32] = 1.0
    entropy[3, 20, 20] = 0.4
    large, small = doubtful_regions(entropy, (3.0, 1.0, 0.5))
    assert large.score == pytest.approx(12 * 0.8 * 1.5)
    assert large.box == (slice(2, 3), slice(5, 8), slice(5, 9))
    assert large.voxels.all()
    assert large.centre in {(2, 6, 6), (2, 6, 7)}
    assert small.score == pytest.approx(2 * 1.5)


def test_the_rim_of_an_organ_does_not_hide_where_it_is_doubtful() -> None:
    """Each outline is a little doubtful: a closed ring. Two thick places are two regions."""
    entropy = 0.6 * (ball((80, 80), 30, (1, 1)) - ball((80, 80), 29, (1, 1))).astype(np.float32)
    entropy[36:43, 6:14] = 0.9
    entropy[8:13, 36:43] = 0.9
    first, second, *rest = doubtful_regions(entropy, (1.0, 1.0))
    assert 36 <= first.centre[0] < 43
    assert 6 <= first.centre[1] < 14
    assert 8 <= second.centre[0] < 13
    assert 36 <= second.centre[1] < 43
    for region in (first, second):
        assert max(part.stop - part.start for part in region.box) < 40
    assert all(region.score < second.score for region in rest)


@given(entropy=entropies, threshold=st.sampled_from([0.0, 0.5, 0.95, 1.0]))
@settings(max_examples=50, deadline=None)
def test_regions_share_out_every_doubtful_voxel(entropy: np.ndarray, threshold: float) -> None:
    count = np.zeros(entropy.shape, int)
    regions = doubtful_regions(entropy, (2.0, 1.0, 1.0), threshold=threshold, apart=3, limit=1000)
    for region in regions:
        count[region.box] += region.voxels
        assert all(p.start <= c < p.stop for p, c in zip(region.box, region.centre, strict=True))
        assert count[region.centre] == 1
    expected = entropy > 0 if threshold == 0 else entropy >= threshold
    np.testing.assert_array_equal(count, expected.astype(int))
    total = 2 * entropy.sum(where=expected, dtype=float)
    assert sum(region.score for region in regions) == pytest.approx(total)
    assert [r.score for r in regions] == sorted((r.score for r in regions), reverse=True)


@given(entropy=entropies)
@settings(max_examples=30, deadline=None)
def test_ticking_off_comes_to_an_end(entropy: np.ndarray) -> None:
    done = np.zeros(entropy.shape, bool)
    regions = doubtful_regions(entropy, ONE, done=done)
    for region in regions:
        assert not done[region.box][region.voxels].any()
        region.tick_off(done)
    assert doubtful_regions(entropy, ONE, done=done) == []
    np.testing.assert_array_equal(done, entropy >= 0.5)


def test_at_most_as_many_as_asked_for() -> None:
    entropy = np.zeros((20, 20), np.float32)
    entropy[::4, ::4] = 1.0
    assert len(doubtful_regions(entropy, (1.0, 1.0), limit=7)) == 7


def test_unusable_input() -> None:
    entropy = np.zeros((4, 5, 6), np.float32)
    with pytest.raises(GeometryError, match="give 3 positive"):
        doubtful_regions(entropy, (1.0, 1.0))
    with pytest.raises(GeometryError, match="no planes"):
        doubtful_slices(entropy[0], (1.0, 1.0))
    with pytest.raises(GeometryError, match="what is done"):
        doubtful_slices(entropy, ONE, done=np.zeros((4, 5, 5), bool))
    with pytest.raises(InputError, match="threshold"):
        doubtful_regions(entropy, ONE, threshold=2)
    with pytest.raises(InputError, match="distance"):
        doubtful_regions(entropy, ONE, apart=0)
