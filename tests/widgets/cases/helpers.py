"""What the tests of the Cases widget with a viewer share."""

from __future__ import annotations

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_lgmsnet.core.project import Project

PICTURE = (50, 60)


def mask_of(widget):
    return widget.desk.screen.view.mask


def window_of(viewer):
    """Return the window behind a viewer's proxy, for what only Qt can do."""
    return viewer.__wrapped__.window._qt_window


def delete(widget, qtbot):
    """Delete a widget as Qt does with those of a window that is gone."""
    gone = []
    widget.destroyed.connect(lambda: gone.append(True))
    widget.deleteLater()
    qtbot.waitUntil(lambda: bool(gone))


def states(widget):
    return [case.state for case in widget.desk.project.cases.all()]


def kept(folder, case_id=1):
    """Return a case's mask as another program reads it."""
    with Project.open(folder, read_only=True) as project:
        return project.labels.read(case_id)


def point_at(viewer, layer, index, zoom=8):
    """Bring a voxel into the middle of the canvas; return the canvas and its middle."""
    window_of(viewer).show()
    native = window_of(viewer)._qt_viewer.canvas.native
    world = layer.data_to_world(index)
    for axis in viewer.dims.not_displayed:
        viewer.dims.set_point(axis, world[axis])
    viewer.scene.camera.center = tuple(world[axis] for axis in viewer.dims.displayed)
    viewer.scene.camera.zoom = zoom
    return native, QPoint(native.width() // 2, native.height() // 2)


def drag(viewer, qtbot, layer, index, pixels=60):
    """Paint a stroke with the mouse, from a voxel on to the right."""
    native, middle = point_at(viewer, layer, index)
    qtbot.waitUntil(lambda: native.width() > 50, timeout=5000)
    native, middle = point_at(viewer, layer, index)
    left = Qt.MouseButton.LeftButton
    QTest.mousePress(native, left, pos=middle)
    for step in range(1, 4):
        QTest.mouseMove(native, middle + QPoint(step * pixels // 3, 0))
        qtbot.wait(20)
    QTest.mouseRelease(native, left, pos=middle + QPoint(pixels, 0))
