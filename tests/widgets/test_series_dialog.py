"""Folders of DICOM opened in napari, as a person does it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication, QDialogButtonBox

from napari_lgmsnet.adapters.saving import snapshot, target_of
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.info import named_classes
from napari_lgmsnet.core.io import dicom, read, read_labels, write_labels
from napari_lgmsnet.widgets.opening import get_reader
from napari_lgmsnet.widgets.series_dialog import SeriesDialog
from tests.core.dicoms import MR, SECRETS, series, volume_numbers

PIXELS = volume_numbers((4, 12, 10))
PLUGIN = "napari-lgmsnet"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    series(tmp_path / "study" / "ct", PIXELS, SeriesDescription="Portal venous")
    other = {"SeriesInstanceUID": "1.2.9", "SeriesNumber": 8, "Modality": "MR", "kind": MR}
    series(tmp_path / "study" / "mr", PIXELS[:3] + 5, SeriesDescription="T2 axial", **other)
    (tmp_path / "study" / "notes.txt").write_text("x")
    return tmp_path / "study"


@pytest.fixture
def answer(qtbot) -> Callable[[Callable[[SeriesDialog], None]], list[SeriesDialog]]:
    """Do something in the dialog as soon as it is on screen."""
    seen: list[SeriesDialog] = []

    def look(act: Callable[[SeriesDialog], None], tries: int = 200) -> None:
        dialogs = [w for w in QApplication.topLevelWidgets() if isinstance(w, SeriesDialog)]
        shown = [dialog for dialog in dialogs if dialog.isVisible()]
        if shown:
            seen.append(shown[0])
            act(shown[0])
        elif tries:
            QTimer.singleShot(20, lambda: look(act, tries - 1))

    def prepare(act: Callable[[SeriesDialog], None]) -> list[SeriesDialog]:
        QTimer.singleShot(0, lambda: look(act))
        return seen

    return prepare


def press(dialog: SeriesDialog, button: QDialogButtonBox.StandardButton) -> None:
    dialog.buttons.button(button).click()


def test_one_of_several_series_is_chosen(registered, viewer, qtbot, answer, folder):
    texts = []

    def choose(dialog: SeriesDialog) -> None:
        rows = [dialog.list.topLevelItem(i) for i in range(dialog.list.topLevelItemCount())]
        texts.extend([row.text(column) for column in range(5)] for row in rows)
        centre = dialog.list.visualItemRect(rows[1]).center()
        qtbot.mouseClick(dialog.list.viewport(), Qt.MouseButton.LeftButton, pos=centre)
        press(dialog, QDialogButtonBox.StandardButton.Open)

    seen = answer(choose)
    viewer.open(str(folder), plugin=PLUGIN)
    assert len(seen) == 1
    assert texts == [
        ["3", "CT", "Portal venous", "10 × 12", "4"],
        ["8", "MR", "T2 axial", "10 × 12", "3"],
    ]
    [layer] = viewer.layers
    assert layer.name == "T2 axial"
    expected = read(folder, series=8)
    np.testing.assert_array_equal(layer.data, expected.data)
    np.testing.assert_allclose(layer.affine.affine_matrix, expected.affine)
    assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
    assert not [secret for secret in SECRETS if secret in repr(layer.metadata) + layer.name]


def test_several_series_can_be_opened_together(registered, viewer, answer, folder):
    def choose(dialog: SeriesDialog) -> None:
        dialog.list.selectAll()
        press(dialog, QDialogButtonBox.StandardButton.Open)

    answer(choose)
    viewer.open(str(folder), plugin=PLUGIN)
    assert [layer.name for layer in viewer.layers] == ["Portal venous", "T2 axial"]


def test_a_changed_mind_opens_nothing(registered, viewer, answer, folder):
    seen = answer(lambda dialog: press(dialog, QDialogButtonBox.StandardButton.Cancel))
    viewer.open(str(folder), plugin=PLUGIN)
    assert len(seen) == 1
    assert len(viewer.layers) == 0


def test_nothing_chosen_cannot_be_opened(qtbot, folder):
    dialog = SeriesDialog(dicom.survey(folder))
    qtbot.addWidget(dialog)
    button = dialog.buttons.button(QDialogButtonBox.StandardButton.Open)
    assert dialog.chosen() == ["3"]
    assert button.isEnabled()
    dialog.list.clearSelection()
    assert not button.isEnabled()
    assert dialog.chosen() == []


def test_a_single_series_opens_at_once(registered, viewer, qtbot, folder):
    viewer.open(str(folder / "ct"), plugin=PLUGIN)
    [layer] = viewer.layers
    np.testing.assert_array_equal(layer.data, PIXELS)


def test_a_single_file_opens(registered, viewer, tmp_path):
    [first, *_rest] = series(tmp_path, PIXELS[:1])
    first = first.rename(tmp_path / "slice.dcm")
    viewer.open(str(first), plugin=PLUGIN)
    np.testing.assert_array_equal(viewer.layers[0].data, PIXELS[:1])


def test_a_mask_opens_in_its_colours(registered, viewer, tmp_path, folder):
    classes = named_classes(["liver", "lesion"])
    volume = read(folder, series=3)
    write_labels(tmp_path / "m.dcm", volume.with_data(PIXELS % 3, "ZYX"), classes=classes)
    viewer.open(str(tmp_path / "m.dcm"), plugin=PLUGIN)
    [layer] = viewer.layers
    assert layer._type_string == "labels"
    np.testing.assert_array_equal(layer.data, PIXELS % 3)
    np.testing.assert_allclose(layer.get_color(2)[:3], np.array(classes[2].colour) / 255, atol=0.01)
    assert list(layer.features["class"]) == ["background", "liver", "lesion"]
    # Saved again, it goes where it came from, with the images that lie in the folder below.
    content = snapshot(layer, viewer.layers)
    assert target_of(layer, content) == tmp_path / "m.dcm"
    layer.data_setitem((np.array([0]), np.array([0]), np.array([0])), 2)
    snapshot(layer, viewer.layers).write(tmp_path / "m.dcm", overwrite=True)
    assert read_labels(tmp_path / "m.dcm").data[0, 0, 0] == 2


def test_a_mask_made_in_the_viewer_is_saved_as_dicom(registered, viewer, tmp_path, folder):
    viewer.open(str(folder / "ct"), plugin=PLUGIN)
    image = viewer.layers[0]
    mask = viewer.add_labels(
        (PIXELS % 2).astype(np.uint8), affine=image.affine, units=image.units,
        metadata=dict(image.metadata),
    )  # fmt: skip
    mask.save(str(tmp_path / "mask.dcm"), plugin=PLUGIN)
    found = read_labels(tmp_path / "mask.dcm")
    np.testing.assert_array_equal(found.data, PIXELS % 2)
    np.testing.assert_array_equal(found.affine, read(folder, series=3).affine)


def test_folders_without_dicom_are_left_to_others(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(300))
    assert get_reader(str(tmp_path)) is None
    assert get_reader([str(tmp_path)]) is None
    assert get_reader(str(tmp_path / "notes.txt")) is None


def test_without_somebody_to_ask_several_series_are_an_error(folder):
    from napari_lgmsnet.adapters import reader

    with pytest.raises(InputError, match=r"2 series.*3: CT"):
        reader.read_layers(str(folder))
