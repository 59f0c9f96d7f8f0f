"""Which pixels decided: Grad-CAM, and covering parts of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Shapes
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton

from napari_lgmsnet.adapters import inspect_jobs, regions
from napari_lgmsnet.adapters.inspect_layers import GRAD_CAM, OCCLUSION, Looked
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.widgets.combos import plain_combo, refill
from napari_lgmsnet.widgets.forms import plain_form
from napari_lgmsnet.widgets.reasons import allow

if TYPE_CHECKING:
    from napari_lgmsnet.core.inspect.inspection import Inspection
    from napari_lgmsnet.core.inspect.maps import CoarseMap
    from napari_lgmsnet.core.inspect.occlusion import Occlusion
    from napari_lgmsnet.widgets.inspect import InspectWidget

EXPLAIN, COVER = "explain", "cover"
FOUND, MASK = "found", "mask"


class DecisionSection(QObject):
    """Asks what speaks for a class.

    Parameters
    ----------
    owner : InspectWidget
    """

    def __init__(self, owner: InspectWidget) -> None:
        super().__init__(owner)
        self._owner = owner
        self.answer: CoarseMap | Occlusion | None = None
        self._blocked = False
        self.classes = plain_combo("")
        self.where = plain_combo("")
        refill(self.where, [("where the network finds it", FOUND), ("on the mask above", MASK)])
        self.gradcam = QPushButton("&Grad-CAM")
        self.cover = QPushButton("Cover &rectangle")
        self.covers = QPushButton("Cover pa&tches")
        self.line = QLabel()
        self.line.setWordWrap(True)
        row = QHBoxLayout()
        for button in (self.gradcam, self.cover, self.covers):
            row.addWidget(button)
        self.form = plain_form()
        self.form.addRow("Cl&ass", self.classes)
        self.form.addRow("Wh&ere", self.where)
        self.form.addRow(row)
        self.form.addRow(self.line)
        self.gradcam.clicked.connect(self._on_gradcam)
        self.cover.clicked.connect(self._on_cover)
        self.covers.clicked.connect(self._on_covers)
        self.where.currentIndexChanged.connect(lambda _index: self.allow())

    def suit(self, inspection: Inspection | None) -> None:
        """Offer the classes of a network."""
        self.answer = None
        if inspection is not None:
            names = [one.name for one in inspection.model.info.classes]
            refill(self.classes, [(name, number) for number, name in enumerate(names) if number])
        self.line.setText("")
        self.allow()

    def allow(self) -> None:
        """Enable what can be used, and say why the rest cannot."""
        before = self._owner.why_not()
        allow(self.classes, before, "Which class is asked about")
        allow(self.where, before, "Over which pixels the class is asked about")
        why = self._owner.why_not(mask=self.where.currentData() == MASK)
        allow(self.gradcam, why, "Cells of the chosen stage that speak for the class")
        allow(
            self.cover,
            why,
            "Blur a drawn rectangle and see how the probability of the class changes",
        )
        allow(
            self.covers,
            why,
            "Blur patch after patch and map how the probability changes; takes a run of the "
            "network for each",
        )
        if why or self._blocked:
            self.line.setText(f"{why}." if why else "")
        self._blocked = bool(why)

    def _asked(self) -> tuple[Looked, int, inspect_jobs.MaskPart | None] | None:
        looked = self._owner.looked
        if looked is None or not self._owner.still_there(looked):
            return None
        asks = self.where.currentData() == MASK
        if self._owner.why_not(mask=asks):
            self.allow()
            return None
        mask = self._owner.mask_part() if asks else None
        self.line.setText("")
        return looked, int(self.classes.currentData()), mask

    def _on_gradcam(self) -> None:
        asked = self._asked()
        if asked is None:
            return
        looked, class_number, mask = asked
        stage = self._owner.choice.stage_name
        job = inspect_jobs.explain(looked.inspection, stage, class_number, mask)
        self._owner.queue.ask(EXPLAIN, job, lambda answer: self._show(looked, GRAD_CAM, answer))

    def _on_covers(self) -> None:
        asked = self._asked()
        if asked is not None:
            looked, class_number, mask = asked
            job = inspect_jobs.cover_everywhere(looked.inspection, class_number, mask)
            self._owner.queue.ask(COVER, job, lambda answer: self._show(looked, OCCLUSION, answer))

    def _on_cover(self) -> None:
        asked = self._asked()
        if asked is None:
            return
        looked, class_number, mask = asked
        shapes = _drawn(self._owner.viewer.layers)
        if shapes is None:
            self._owner.source.region.start_drawing(looked.place.image)
            self.line.setText("Drag a rectangle over the image, then choose this again.")
            return
        volumes = looked.inspection.model.info.architecture.dimensions == 3
        try:
            part = looked.place.now()
            view = regions.view_of(part, self._owner.viewer.dims)
            box = regions.drawn(part, view, shapes, all_slices=volumes)
            inside = looked.place.inside(box)
        except InputError as error:
            self.line.setText(str(error))
            return
        job = inspect_jobs.cover(looked.inspection, inside, class_number, mask)
        self._owner.queue.ask(COVER, job, self._say)

    def _show(self, looked: Looked, role: str, coarse: CoarseMap) -> None:
        if not self._owner.still_there(looked):
            return
        self.answer = coarse
        layer = self._owner.maps.show(role, looked.place, coarse, coarse.name)
        self.line.setText(f'"{layer.name}": {coarse.kind}, {coarse.stage}.')

    def _say(self, answer: Occlusion) -> None:
        self.answer = answer
        self.line.setText(
            f"Mean probability of {answer.class_name}: {answer.before:.3f} as the image is, "
            f"{answer.after:.3f} with the rectangle blurred."
        )


def _drawn(layers: Any) -> Shapes | None:
    """Return the selected Shapes layer, or the topmost one that has shapes."""
    drawn = [one for one in layers if isinstance(one, Shapes) and len(one.data)]
    active = layers.selection.active
    return active if active in drawn else drawn[-1] if drawn else None
