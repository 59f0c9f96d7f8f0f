"""What is asked before anything of a person's is overwritten."""

from __future__ import annotations

from enum import Enum

from qtpy.QtWidgets import QMessageBox, QWidget


class Edits(Enum):
    """What should become of edits in a mask."""

    KEEP = "keep"
    REPLACE = "replace"
    CANCEL = "cancel"


def ask_about_edits(parent: QWidget, mask: str) -> Edits:
    """Ask what should become of the edits in a mask.

    Parameters
    ----------
    parent : QWidget
    mask : str
        The layer's name.
    """
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Edited mask")
    box.setText(f'You have edited "{mask}".')
    box.setInformativeText("The new result covers a part that you edited.")
    keep = box.addButton("Keep edits, use a new layer", QMessageBox.ButtonRole.AcceptRole)
    replace = box.addButton("Replace edits", QMessageBox.ButtonRole.DestructiveRole)
    cancel = box.addButton(QMessageBox.StandardButton.Cancel)
    replace.setToolTip("Undo in the layer brings them back")
    box.setDefaultButton(keep)
    box.setEscapeButton(cancel)
    box.exec()
    clicked = box.clickedButton()
    box.deleteLater()
    if clicked is keep:
        return Edits.KEEP
    return Edits.REPLACE if clicked is replace else Edits.CANCEL
