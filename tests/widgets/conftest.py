"""A viewer, small checkpoints, and the Segment widget as napari would open it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from npe2 import PluginManifest

import napari_lgmsnet
from napari_lgmsnet import predict
from napari_lgmsnet.adapters import jobs
from napari_lgmsnet.core import checkpoints
from napari_lgmsnet.core.info import ModelInfo, named_classes
from napari_lgmsnet.core.model import Model, new_model
from napari_lgmsnet.core.remembered import Remembered
from napari_lgmsnet.core.types import Volume
from napari_lgmsnet.widgets.segment import SegmentWidget
from tests.core.helpers import small_architecture, small_model, small_recipe

MANIFEST = Path(napari_lgmsnet.__file__).with_name("napari.toml")


def named_model(dimensions: int, *classes: str) -> Model:
    """Return a small network, of one output for one class."""
    outputs = 1 if len(classes) == 1 else len(classes) + 1
    info = ModelInfo(
        name=f"small-{dimensions}d",
        title=f"Small {dimensions}D",
        architecture=small_architecture(dimensions, out_channels=outputs),
        recipe=small_recipe(dimensions),
        classes=named_classes(list(classes)),
        licence="CC0-1.0",
    )
    return new_model(info)


def telling_model(image: Volume | np.ndarray) -> Model:
    """Return a small 2D network that takes about half of an image for a lesion.

    An untrained one says nearly the same everywhere: its mask would be empty, or full.
    """
    model = named_model(2, "lesion")
    said = np.asarray(predict(model, image).foreground, dtype=float)
    logits = np.log(said / (1 - said))
    more = 2 / logits.std()
    with torch.no_grad():
        model.network.head.bias.sub_(float(np.median(logits))).mul_(more)
        model.network.head.weight.mul_(more)
    return model


@pytest.fixture(scope="session")
def checkpoint_2d(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "small-2d.safetensors"
    checkpoints.save(path, named_model(2, "lesion"))
    return str(path)


@pytest.fixture(scope="session")
def checkpoint_3d(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "small-3d.safetensors"
    checkpoints.save(path, named_model(3, "front", "back"))
    return str(path)


@pytest.fixture
def checkpoint(tmp_path):
    """Return a function that stores a small network and names its file."""

    def make(dimensions, channels=1, **recipe):
        path = tmp_path / f"{dimensions}-{channels}-{len(recipe)}.safetensors"
        checkpoints.save(path, small_model(dimensions, channels, **recipe))
        return str(path)

    return make


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test be answered from memory what another one asked."""
    monkeypatch.setattr(jobs, "_remembered", Remembered())


@pytest.fixture
def volume() -> np.ndarray:
    return np.random.default_rng(0).normal(100, 20, (6, 40, 36)).astype(np.float32)


@pytest.fixture
def registered(plugin_settings, npe2pm) -> None:
    """Make the plugin known to napari, with settings of its own that are forgotten afterwards."""
    npe2pm.register(PluginManifest.from_file(MANIFEST))


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    return make_napari_viewer_proxy()


@pytest.fixture
def open_widget(registered, viewer, qtbot) -> Iterator[Callable[..., SegmentWidget]]:
    """Open the widget with a checkpoint chosen."""

    def open_it(checkpoint: str = "") -> SegmentWidget:
        widget = SegmentWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Segment")
        if checkpoint:
            widget.checkpoint.choose(checkpoint)
        return widget

    return open_it


@pytest.fixture
def finish(qtbot) -> Callable[[SegmentWidget], None]:
    """Wait until a widget has nothing to do."""

    def idle(widget: SegmentWidget) -> bool:
        slider = widget.threshold
        return not (widget.busy or slider.job.running or slider.waiting)

    return lambda widget: qtbot.waitUntil(lambda: idle(widget), timeout=60_000)
