"""What is asked before a project is closed whose edits cannot be saved."""

from __future__ import annotations

from enum import Enum

from qtpy.QtWidgets import QMessageBox, QWidget


class Unsaved(Enum):
    """What should become of edits that cannot be saved."""

    AGAIN = "again"
    LOSE = "lose"
    STAY = "stay"


def ask_about_unsaved(parent: QWidget | None, why: str) -> Unsaved:
    """Ask what should become of edits that cannot be saved.

    Parameters
    ----------
    parent : QWidget or None
    why : str
        They cannot.
    """
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Warning)
    box.setWindowTitle("Edits are not saved")
    box.setText("The last edits cannot be saved.")
    box.setInformativeText(f"{why[:1].upper()}{why[1:]}.")
    again = box.addButton("Try again", QMessageBox.ButtonRole.AcceptRole)
    lose = box.addButton("Close and lose them", QMessageBox.ButtonRole.DestructiveRole)
    stay = box.addButton("Keep open", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(again)
    box.setEscapeButton(stay)
    box.exec()
    clicked = box.clickedButton()
    box.deleteLater()
    if clicked is again:
        return Unsaved.AGAIN
    return Unsaved.LOSE if clicked is lose else Unsaved.STAY
