"""The Cases widget in processes of its own: what opening it loads, and folders without rights."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from napari_lgmsnet.core.project import Project
from tests.adapters.test_manifest import MANIFEST, NAPARI_ALONE, OPEN_THE_WIDGET, fresh
from tests.core.project.helpers import a_prediction, add_pictures, run_python, store

OPEN_CASES = OPEN_THE_WIDGET.replace("widgets.segment", "widgets.cases").replace(
    "SegmentWidget", "CasesWidget"
)
HEAVY = 'heavy = {"torch", "monai", "nibabel", "scipy.ndimage", "matplotlib", "pydicom"}'


def test_opening_the_widget_does_not_wait_for_what_reads_files(qapp):
    code = OPEN_CASES.replace('heavy = {"torch", "monai", "nibabel", "scipy.ndimage"}', HEAVY)
    assert HEAVY in code
    assert "CasesWidget(viewer)" in code
    alone = fresh(NAPARI_ALONE)
    assert fresh(code, str(MANIFEST), json.dumps(alone)) == []


OPEN_READ_ONLY = """
import sys, time
from qtpy.QtWidgets import QApplication
app = QApplication([])
from napari.components import ViewerModel
from napari_lgmsnet.widgets.cases import CasesWidget
viewer = ViewerModel()
widget = CasesWidget(viewer)
widget.open_project(sys.argv[1], create=sys.argv[2] == "new")
until = time.monotonic() + 60
while time.monotonic() < until and not (widget.desk.settled and not widget.desk.busy):
    app.processEvents()
    time.sleep(0.01)
app.processEvents()
print(widget.notice.line.text() or widget.progress.line.text())
if widget.desk.case is not None:
    mask = widget.desk.screen.view.mask
    print(widget.desk.case.name, mask.editable, mask.data.sum())
widget.close_project()
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_folder_that_cannot_be_written_to_is_said(qapp, tmp_path: Path) -> None:
    folder = tmp_path / "a"
    with Project.create(folder) as project:
        (case,) = add_pictures(project, tmp_path)
        store(project, case, a_prediction())
    places = [folder, *folder.rglob("*")]
    modes = {path: path.stat().st_mode for path in places}
    for path in places:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        said, shown = run_python(OPEN_READ_ONLY, folder, "old", powerless=True).splitlines()
        asked = run_python(OPEN_READ_ONLY, folder / "new", "new", powerless=True)
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    assert "cannot be written to" in said
    assert "can only be looked at" in said
    assert shown == f"picture 0 False {np.sum(a_prediction())}"
    assert "choose another folder" in asked
