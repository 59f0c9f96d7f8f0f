"""All tabs in one widget, in a real viewer."""

import numpy as np

from napari_lgmsnet.widgets.studio import StudioWidget
from napari_lgmsnet.widgets.tune import TuneWidget


def test_one_checkpoint_for_all_tabs(registered, viewer, checkpoint_2d, checkpoint_3d, qtbot):
    viewer.add_image(np.zeros((40, 50), np.float32), name="scan")
    studio = StudioWidget(viewer)
    viewer.window.add_dock_widget(studio, name="All tabs")
    titles = [studio.tabText(place) for place in range(studio.count())]
    assert titles == ["Segment", "Inspect", "Correct", "Cases", "Fine-tune"]
    tabs = (studio.segment, studio.inspect, studio.cases, studio.tune)
    boxes = [one.checkpoint for one in tabs]
    for box, file in zip(boxes, (checkpoint_2d, checkpoint_3d) * 2, strict=True):
        box.choose(file)
        assert {one.reference for one in boxes} == {file}


def test_a_mask_made_in_one_tab_is_corrected_in_the_next(registered, viewer, checkpoint_2d, qtbot):
    image = np.random.default_rng(0).normal(100, 20, (40, 50)).astype(np.float32)
    viewer.add_image(image, name="scan", scale=(0.5, 0.5))
    studio = StudioWidget(viewer)
    viewer.window.add_dock_widget(studio, name="All tabs")
    studio.segment.checkpoint.choose(checkpoint_2d)
    studio.segment.run()
    qtbot.waitUntil(lambda: not studio.segment.busy, timeout=60_000)
    mask = viewer.layers["scan mask"]
    studio.setCurrentIndex(2)
    assert studio.correct.bench.mask == mask
    assert studio.correct.bench.image == viewer.layers["scan"]
    assert [pair.name for pair in studio.tune.source.pairs()] in ([], ["scan"])
    assert studio.segment.session is studio.correct.bench.session is studio.tune.session


def test_later_tabs_are_made_by_themselves_and_follow(registered, viewer, checkpoint_2d, qtbot):
    studio = StudioWidget(viewer)
    viewer.window.add_dock_widget(studio, name="All tabs")
    studio.segment.checkpoint.choose(checkpoint_2d)
    assert not isinstance(studio.widget(4), TuneWidget)
    qtbot.waitUntil(lambda: isinstance(studio.widget(4), TuneWidget), timeout=20_000)
    assert studio.tune is studio.widget(4)
    assert studio.tune.checkpoint.reference == checkpoint_2d
    assert [studio.tabText(place) for place in (0, 4)] == ["Segment", "Fine-tune"]
    assert studio.currentIndex() == 0
