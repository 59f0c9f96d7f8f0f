"""What the tests of the Correct widget share."""

from __future__ import annotations

LESION = {"index": [0, 1, 2], "class": ["background", "lesion", "cyst"]}


def choose(combo, value):
    index = combo.findData(value)
    assert index >= 0, [combo.itemText(i) for i in range(combo.count())]
    combo.setCurrentIndex(index)


def click(widget, index, **how):
    target = widget.bench.target()
    widget.clicks.tool.click(target.point_of(index), **how)


def canvas_of(viewer):
    """Return the window that is drawn on, which gets mouse and keys."""
    window = viewer.__wrapped__.window
    window.show()
    return window._qt_viewer.canvas.native


def messages(widget):
    return widget.bar.line.text()
