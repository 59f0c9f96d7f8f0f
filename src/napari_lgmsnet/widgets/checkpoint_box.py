"""Choosing a checkpoint, and seeing what it is."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_lgmsnet.adapters.settings import recent_checkpoints
from napari_lgmsnet.core.catalogue import default_checkpoint, peek, shipped
from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.widgets.text import checkpoint_line, checkpoint_name

FILES = "Checkpoints (*.safetensors *.pth *.pt *.ckpt);;All files (*)"


class CheckpointBox(QWidget):
    """A list of those that ship and those used lately, and a button for others.

    Attributes
    ----------
    line : QLabel
        Says what the chosen one is; stands wherever there is room.
    changed : Qt signal
        Another checkpoint is chosen, or more became known of it.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._known: dict[str, ModelInfo | None] = {}
        self._refused: set[str] = set()
        self._chosen = False
        self.combo = QComboBox()
        self.combo.setMinimumContentsLength(10)
        self.combo.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.combo.setPlaceholderText("choose a file")
        self.browse = QPushButton("&Browse…")
        self.browse.setToolTip("Choose a checkpoint file: .safetensors, or the authors' .pth")
        self.browse.clicked.connect(self._on_browse)
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.line.setTextFormat(Qt.TextFormat.RichText)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.combo, 1)
        row.addWidget(self.browse)
        self.setFocusProxy(self.combo)
        for reference in (*shipped(), *recent_checkpoints()):
            self._add(reference)
        self.suit(colour=False)
        self.combo.currentIndexChanged.connect(lambda _index: self._on_chosen())

    @property
    def reference(self) -> str:
        """Return the chosen file, or the name of one that ships; empty if none is chosen."""
        return str(self.combo.currentData() or "")

    @property
    def info(self) -> ModelInfo | None:
        """Return what is known of the chosen checkpoint."""
        return self._known.get(self.reference)

    @property
    def unread(self) -> bool:
        """Return whether only reading the chosen file whole could tell what it is."""
        reference = self.reference
        return bool(reference) and self.info is None and reference not in self._refused

    def suit(self, *, colour: bool) -> None:
        """Choose what ships for such images, unless something else was chosen. Tells nobody."""
        if self._chosen:
            return
        with QSignalBlocker(self.combo):
            self.combo.setCurrentIndex(self.combo.findData(default_checkpoint(colour=colour)))
        self._describe()

    def choose(self, reference: str) -> None:
        """Choose a checkpoint, which joins the list if it is new."""
        self._refused.discard(reference)
        index = self.combo.findData(reference)
        with QSignalBlocker(self.combo):
            self.combo.setCurrentIndex(self._add(reference) if index < 0 else index)
        self._on_chosen()

    def learn(self, reference: str, info: ModelInfo, description: str) -> None:
        """Take in what loading a checkpoint has told."""
        self._known[reference] = info
        index = self.combo.findData(reference)
        self.combo.setItemText(index, checkpoint_name(reference, info))
        self.combo.setItemData(index, description, Qt.ItemDataRole.ToolTipRole)
        self._describe()
        self.changed.emit()

    def refuse(self, reference: str) -> None:
        """Mark a checkpoint as one that cannot be used; why stands elsewhere."""
        self._refused.add(reference)
        self._describe()

    def _add(self, reference: str) -> int:
        info = self._known[reference] = peek(reference)
        self.combo.addItem(checkpoint_name(reference, info), reference)
        index = self.combo.count() - 1
        self.combo.setItemData(index, reference, Qt.ItemDataRole.ToolTipRole)
        return index

    def _describe(self) -> None:
        info = self.info
        if self.reference in self._refused:
            text = "This checkpoint cannot be used."
        elif info is not None:
            text = checkpoint_line(info)
        elif self.reference:
            text = "Reading the file to see what it is …"
        else:
            text = "Choose a checkpoint with Browse."
        self.line.setText(text)
        tooltip = self.combo.currentData(Qt.ItemDataRole.ToolTipRole) or ""
        self.line.setToolTip(str(tooltip))
        self.combo.setToolTip(str(tooltip))

    def _on_chosen(self) -> None:
        self._chosen = True
        self._describe()
        self.changed.emit()

    def _on_browse(self) -> None:
        reference = self.reference
        start = str(Path(reference).parent) if reference and Path(reference).is_file() else ""
        file, _ = QFileDialog.getOpenFileName(self, "Choose a checkpoint", start, FILES)
        if file:
            self.choose(file)
