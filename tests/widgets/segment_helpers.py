"""What tests of the Segment widget share."""

import numpy as np
import pytest
from qtpy.QtWidgets import QMessageBox

from napari_lgmsnet.adapters.layers import affine_of
from napari_lgmsnet.adapters.results import METADATA

TILTED = np.array(
    [[2.0, 0.3, 0.0, -7.0], [0.1, 0.4, -1.5, 30.0], [0.0, 0.9, 0.2, 4.0], [0.0, 0.0, 0.0, 1.0]]
)


def region(widget, scope):
    combo = widget.options.region.combo
    combo.setCurrentIndex(combo.findData(scope))
    assert widget.options.region.scope == scope


def mask_of(viewer):
    [mask] = [one for one in viewer.layers if one.metadata.get(METADATA, {}).get("role") == "mask"]
    return mask


def click(monkeypatch, words):
    """Answer the question about edits; return the list of questions that were asked."""
    asked = []

    def answer(box):
        asked.append(box.text())
        [button] = [one for one in box.buttons() if words in one.text()]
        button.click()

    monkeypatch.setattr(QMessageBox, "exec", answer)
    return asked


def no_question(monkeypatch):
    monkeypatch.setattr(QMessageBox, "exec", lambda box: pytest.fail(f"asked: {box.text()}"))


def painted(open_widget, finish, viewer, volume, checkpoint):
    viewer.add_image(volume, name="scan")
    widget = open_widget(checkpoint)
    widget.run()
    finish(widget)
    mask = mask_of(viewer)
    mask.data_setitem((np.array([2]), np.array([3]), np.array([4])), 9)
    return widget, mask, mask.data.copy()


def masks_of(viewer):
    return [one for one in viewer.layers if one.metadata.get(METADATA, {}).get("role") == "mask"]


def choose(combo, value):
    index = combo.findData(value)
    assert index >= 0, [combo.itemText(i) for i in range(combo.count())]
    combo.setCurrentIndex(index)


def shown(widget):
    """Return which rows of choices there are."""
    part = widget.part
    rows = {
        "axis": part.axis,
        "channels": part._channel_row,
        "level": part.level,
        "time": part.time,
    }
    return {name for name, row in rows.items() if not row.isHidden()}


def state_of(layer):
    """Return everything that a layer lets one read of itself, to compare it with later."""
    data, state, kind = layer.as_layer_data_tuple()
    levels = list(data) if state.get("multiscale") or kind == "shapes" else [data]
    state["numbers"] = [np.asarray(one).tobytes() for one in levels]
    state["world"] = affine_of(layer).tobytes()
    return repr({key: _plain(value) for key, value in sorted(state.items())})


def _plain(value):
    return value.tolist() if isinstance(value, np.ndarray) else value
