"""What is asked before anything of a person's is overwritten."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from qtpy.QtWidgets import QMessageBox, QWidget


class Edits(Enum):
    """What should become of edits in a mask."""

    KEEP = "keep"
    REPLACE = "replace"
    CANCEL = "cancel"


class Existing(Enum):
    """What should become of a file that exists."""

    REPLACE = "replace"
    NEW_NAME = "new name"
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


def ask_about_file(parent: QWidget | None, file: Path, other: Path) -> Existing:
    """Ask what should become of a file that exists.

    Parameters
    ----------
    parent : QWidget or None
    file : pathlib.Path
    other : pathlib.Path
        What the new file can be called instead.
    """
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("The file exists")
    box.setText(f'"{file.name}" exists already.')
    box.setInformativeText(f'In the folder "{file.parent}".')
    keep = box.addButton(f'Save as "{other.name}"', QMessageBox.ButtonRole.AcceptRole)
    replace = box.addButton("Replace", QMessageBox.ButtonRole.DestructiveRole)
    cancel = box.addButton(QMessageBox.StandardButton.Cancel)
    replace.setToolTip("The old file is lost")
    box.setDefaultButton(keep)
    box.setEscapeButton(cancel)
    box.exec()
    clicked = box.clickedButton()
    box.deleteLater()
    if clicked is keep:
        return Existing.NEW_NAME
    return Existing.REPLACE if clicked is replace else Existing.CANCEL
