"""What is done with a project as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QMenu, QPushButton

if TYPE_CHECKING:
    from napari_lgmsnet.widgets.cases import CasesWidget


class ProjectMenu(QPushButton):
    """A button with a menu.

    Parameters
    ----------
    cases : CasesWidget
    """

    def __init__(self, cases: CasesWidget) -> None:
        super().__init__("Project")
        self.setToolTip("Add images, predict, export; open another project")
        menu = QMenu(self)
        self._writing = [
            menu.addAction("Add &images…", cases.add_images),
            menu.addAction("Add &folder…", cases.add_folder),
            menu.addAction("&Predict all new cases", cases.predict_all),
        ]
        menu.addSeparator()
        menu.addAction("&Export accepted cases…", cases.export)
        menu.addAction("Chec&k all files", cases.check)
        menu.addSeparator()
        menu.addAction("&New project…", cases.new_project)
        menu.addAction("&Open project…", cases.choose_project)
        menu.addAction("C&lose project", cases.close_project)
        self.setMenu(menu)

    def suit(self, *, writable: bool) -> None:
        """Offer what can be done."""
        for action in self._writing:
            action.setEnabled(writable)
