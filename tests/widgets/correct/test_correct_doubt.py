"""The tour of doubtful regions."""

from __future__ import annotations

import numpy as np
import pytest

from tests.widgets.correct.helpers import choose, messages


@pytest.mark.parametrize("way", ["probabilities", "views"])
def test_the_tour_of_doubt_ends_when_all_is_seen_to(predicted, settle, viewer, way):
    widget, mask = predicted
    choose(widget.doubt.way, way)
    widget.doubt.show.click()
    settle(widget)
    tour = widget.doubt.tour
    layer = viewer.layers["scan doubt"]
    assert layer.data.shape == mask.data.shape
    assert np.allclose(layer.data_to_world((3, 5)), mask.data_to_world((3, 5)))
    assert tour.regions
    assert "Region 1 of" in widget.doubt.line.text()
    outlined = viewer.layers["scan mask look here"].data
    assert outlined[tour.regions[0].centre] == 1
    vouched = np.zeros(mask.data.shape, bool)

    def vouch(layer, where):
        assert layer == mask
        vouched[where] = True

    widget.bench.session.vouched.connect(vouch)
    scores = [region.score for region in tour.regions]
    assert scores == sorted(scores, reverse=True)
    for _ in range(len(tour.regions)):
        widget.doubt.done.click()
    assert "Nothing doubtful is left" in widget.doubt.line.text()
    assert np.array_equal(vouched, tour.done)
    assert not layer.data[tour.done].any()
    widget.doubt.show.click()
    settle(widget)
    assert not widget.doubt.tour.regions


def test_doubt_needs_a_prediction(halved, settle):
    widget, _ = halved
    widget.doubt.show.click()
    settle(widget)
    assert "run Segment" in messages(widget)
