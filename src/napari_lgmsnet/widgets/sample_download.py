"""Samples that are downloaded when a person asks for them, while napari goes on.

napari calls a function for sample data and wants its layers at once. Downloadable samples are
addresses instead, ``lgmsnet-sample://NAME``, which this package's own reader opens: a reader may
answer that it has no layers yet. They are added when the download is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import napari
from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_lgmsnet.adapters.samples import sample_layers
from napari_lgmsnet.adapters.workers import Background
from napari_lgmsnet.core import samples
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.types import Progress
from napari_lgmsnet.widgets.windows import main_window

if TYPE_CHECKING:
    from napari import Viewer

    from napari_lgmsnet.core.types import Volume

ADDRESS = "lgmsnet-sample://"
LATER: list[Any] = [(None,)]
"""What a reader returns that has no layers to add."""


def get_sample_reader(path: str | list[str]) -> Callable[[str], list[Any]] | None:
    """Return the function that opens a downloadable sample, or None if it is none."""
    return open_sample if isinstance(path, str) and path.startswith(ADDRESS) else None


def open_sample(address: str) -> list[Any]:
    """Open a sample that is there already, or begin to download it.

    Parameters
    ----------
    address : str
        ``lgmsnet-sample://NAME``.

    Returns
    -------
    list of layer data, or ``[(None,)]`` if they will come later

    Raises
    ------
    InputError
        If there is no sample of that name.
    """
    name = address.removeprefix(ADDRESS)
    there = all(one.done for one in samples.downloads_of(name).values())
    viewer = napari.current_viewer()
    if there or viewer is None:
        return list(sample_layers(name, *run(samples.download(name))))
    SampleDownload.begin(name, viewer)
    return LATER


class SampleDownload(QDialog):
    """Shows how far a download has come, and adds the layers at its end.

    Parameters
    ----------
    name : str
        Of a downloadable sample.
    viewer : napari Viewer
    parent : QWidget, optional

    Attributes
    ----------
    line : QLabel
        What is happening, or what went wrong and what to do.
    again, close_button : QPushButton
    """

    def __init__(self, name: str, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = name
        self._viewer = viewer
        self._job = Background()
        entry = samples.downloadable()[name]
        host = urlsplit(entry["files"]["image"]["url"]).hostname
        self.setWindowTitle("LGMSNet: download a sample")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(460)
        about = QLabel(
            f"{entry['title'].split(' (')[0]}, from {host}.\n{entry['source']}.\n"
            f"Terms: {entry['licence']}."
        )
        self.line = QLabel()
        self.line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        for label in (about, self.line):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        buttons = QDialogButtonBox()
        self.again = QPushButton("&Try again")
        self.again.clicked.connect(lambda: self.start())
        self.close_button = QPushButton("&Cancel")
        self.close_button.clicked.connect(lambda: self.close())
        buttons.addButton(self.again, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(self.close_button, QDialogButtonBox.ButtonRole.RejectRole)
        layout = QVBoxLayout(self)
        for part in (about, self.bar, self.line, buttons):
            layout.addWidget(part)
        self._job.progressed.connect(self._on_progress)
        self._job.returned.connect(self._on_returned)
        self._job.failed.connect(self._on_failed)
        abandon = self._job.abandon
        self.destroyed.connect(lambda: abandon())

    @classmethod
    def begin(cls, name: str, viewer: Viewer) -> SampleDownload:
        """Show the dialog for a sample: the one there is, or a new one."""
        for one in QApplication.topLevelWidgets():
            if isinstance(one, cls) and one.name == name and one.isVisible():
                one.raise_()
                return one
        dialog = cls(name, viewer, main_window())
        dialog.show()
        dialog.start()
        return dialog

    def start(self) -> None:
        """Begin the download, or begin it anew."""
        self.bar.setRange(0, 0)
        self.line.setStyleSheet("")
        self.line.setText("Connecting …")
        self.again.hide()
        self.close_button.setText("&Cancel")
        self._job.start(samples.download(self.name))

    def done(self, result: int) -> None:
        """Close, and stop the download if it is under way."""
        self._job.cancel()
        super().done(result)

    def _on_progress(self, progress: Progress) -> None:
        self.bar.setRange(0, progress.total)
        self.bar.setValue(progress.step)
        if progress.total:
            done, total = (f"{amount / 2**20:.1f}" for amount in (progress.step, progress.total))
            self.line.setText(f"{done} of {total} MB")

    def _on_returned(self, volumes: tuple[Volume, Volume]) -> None:
        for data, about, kind in sample_layers(self.name, *volumes):
            self._viewer.add_layer(Layer.create(data, about, kind))
        self.close()

    def _on_failed(self, error: Exception) -> None:
        self.bar.setRange(0, 1)
        self.bar.setValue(0)
        self.line.setStyleSheet("color: #ff8a73;")
        self.line.setText(str(error))
        self.again.show()
        self.close_button.setText("&Close")
        self.adjustSize()
