"""What can be used when, and why not: every disabled control says what to do first."""

from collections import OrderedDict

import pytest
from qtpy.QtWidgets import QComboBox, QPushButton, QSpinBox
from torch import nn

from napari_lgmsnet.adapters.jobs import Loaded
from napari_lgmsnet.core import checkpoints
from napari_lgmsnet.core.model import Model
from tests.core.inspect.helpers import averaging_model
from tests.widgets.inspect.helpers import add_mask, choose


def unexplained(widget):
    """Return the disabled controls that do not say what to do first."""
    controls = [
        one for kind in (QPushButton, QComboBox, QSpinBox) for one in widget.findChildren(kind)
    ]
    # An empty list of images says so itself, and Cancel has nothing to stop.
    expected = (widget.images, widget.bar.cancel)
    return [
        (type(one).__name__, one.toolTip())
        for one in controls
        if not one.isEnabled() and one not in expected and "first" not in one.toolTip()
    ]


def test_whatever_is_disabled_says_why(open_inspect, settle, viewer, picture, checkpoint_2d):
    widget = open_inspect(checkpoint_2d)
    assert "Open an image first" in widget.source.image_line.text()
    assert "Open an image first" in widget.bar.run.toolTip()
    assert unexplained(widget) == []
    viewer.add_image(picture, name="scan")
    assert widget.bar.run.isEnabled()
    assert not widget.choice.stage.isEnabled()
    assert unexplained(widget) == []
    widget.run()
    assert "Wait for the end first" in widget.bar.run.toolTip()
    settle(widget)
    assert widget.choice.stage.isEnabled()
    choose(widget.choice.reduce, "channel")
    settle(widget)
    for part in (widget.choice.best, widget.stages.plot, widget.export.numbers):
        assert not part.isEnabled()
        assert "Choose a mask first" in part.toolTip()
    assert "open images and their masks first" in widget.cases.score.toolTip().lower()
    assert unexplained(widget) == []
    choose(widget.decisions.where, "mask")
    assert not widget.decisions.gradcam.isEnabled()
    assert widget.decisions.line.text() == "Choose a mask first."
    assert unexplained(widget) == []
    add_mask(viewer, picture)
    settle(widget)
    for part in (
        widget.choice.best,
        widget.stages.plot,
        widget.export.numbers,
        widget.decisions.gradcam,
        widget.cases.score,
    ):
        assert part.isEnabled()
    assert widget.decisions.line.text() == ""
    choose(widget.choice.reduce, "components")
    settle(widget)
    assert "colours of two networks cannot be compared" in widget.comparison.compare.toolTip()
    assert unexplained(widget) == []


def test_opens_from_the_menu_of_plugins(registered, viewer):
    _dock, widget = viewer.window.add_plugin_dock_widget("napari-lgmsnet", "Inspect")
    assert "Open an image first" in widget.source.image_line.text()


def in_memory(widget, model: Model) -> None:
    """Let a model stand for the chosen checkpoint."""
    reference = widget.checkpoint.reference
    widget.session.loaded = Loaded(reference, model, ("cpu",), 0)


def test_a_network_without_attention_and_without_the_usual_stage(
    open_inspect, settle, viewer, picture, checkpoint_2d
):
    viewer.add_image(picture, name="scan")
    widget = open_inspect(checkpoint_2d)
    model = averaging_model(2)
    # A network of which only these two stages are known.
    model.network = nn.Sequential(
        OrderedDict(encoder1=model.network.encoder1, encoder3=nn.Conv2d(1, 1, 1))
    ).eval()
    in_memory(widget, model)
    widget.run()
    settle(widget)
    names = [widget.choice.stage.itemData(i) for i in range(widget.choice.stage.count())]
    assert names == ["encoder3", "encoder1"]
    assert widget.features.seen.map.stage == "encoder3"
    assert not widget.attention.place.isEnabled()
    assert "no blocks of global attention" in widget.attention.line.text()
    assert "no blocks of global attention" in widget.attention.place.toolTip()


def test_a_network_without_any_stage_is_refused(
    open_inspect, settle, viewer, picture, checkpoint_2d
):
    viewer.add_image(picture, name="scan")
    widget = open_inspect(checkpoint_2d)
    in_memory(widget, Model(nn.Identity(), averaging_model(2).info))
    widget.run()
    settle(widget)
    assert "it has none, choose another checkpoint" in widget.bar.line.text()
    assert widget.bar.run.isEnabled()
    assert unexplained(widget) == []


def test_recipe_and_device_are_those_chosen(open_inspect, settle, viewer, picture, checkpoint_2d):
    viewer.add_image(picture, name="scan")
    widget = open_inspect(checkpoint_2d)
    options = widget.source.options
    widget.run()
    settle(widget)
    own = checkpoints.load(checkpoint_2d).info.recipe
    assert widget.looked.inspection.model.info.recipe == own
    assert widget.features.about.text() == '"scan" as "Small 2D" sees it.'
    assert options.device.findData("cpu") >= 0
    choose(options.recipe, "grey-2d")
    choose(options.device, "cpu")
    options.native.setChecked(True)
    assert "Something else is chosen above" in widget.features.about.text()
    widget.run()
    settle(widget)
    inspection = widget.looked.inspection
    assert inspection.model.info.recipe.name == "grey-2d"
    assert inspection.device.type == "cpu"
    assert inspection.settings.native
    assert "Something else" not in widget.features.about.text()


def test_recipes_of_volumes_have_no_full_resolution_to_choose(
    open_inspect, checkpoint_2d, checkpoint_3d
):
    widget = open_inspect(checkpoint_2d)
    assert widget.source.options.native.isEnabled()
    widget.checkpoint.choose(checkpoint_3d)
    assert not widget.source.options.native.isEnabled()
    assert "always run in windows" in widget.source.options.native.toolTip()
    names = [
        widget.source.options.recipe.itemData(i)
        for i in range(widget.source.options.recipe.count())
    ]
    assert names == ["", "paper-btcv", "mr-3d", "ct-3d"]


@pytest.mark.parametrize("problem", ["elsewhere", "closed"])
def test_a_mask_that_went_away_disables_what_needs_it(looked, settle, viewer, picture, problem):
    mask = add_mask(viewer, picture)
    settle(looked)
    assert looked.stages.plot.isEnabled()
    if problem == "closed":
        viewer.layers.remove(mask)
    else:
        mask.translate = mask.translate + 5
        looked.features.see()
    settle(looked)
    assert not looked.stages.plot.isEnabled()
    assert not looked.choice.best.isEnabled()
    looked.stages.ask()
    assert not looked.busy
