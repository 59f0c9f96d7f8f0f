"""Where a point attends, followed while it is dragged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Points
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QLabel, QPushButton

from napari_lgmsnet.adapters import inspect_jobs, regions
from napari_lgmsnet.adapters.inspect_layers import ATTENTION, Looked
from napari_lgmsnet.adapters.layers import geometry_of, shape_of
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.widgets.combos import plain_combo, refill
from napari_lgmsnet.widgets.forms import plain_form
from napari_lgmsnet.widgets.reasons import allow

if TYPE_CHECKING:
    from napari_lgmsnet.core.inspect.attention import AttentionMap, AttentionMaps
    from napari_lgmsnet.core.inspect.inspection import Inspection
    from napari_lgmsnet.widgets.inspect import InspectWidget

ATTEND = "attend"
PAUSE_MS = 25
"""How long a question waits that needs the network."""
REST_MS = 350
"""What is said of a map follows when the point has rested this long."""
HOW = "Puts a point on the image: drag it, and the map shows where it attends"


class AttentionSection(QObject):
    """A point on the image, and a map of where the network looks from there.

    Parameters
    ----------
    owner : InspectWidget
    """

    def __init__(self, owner: InspectWidget) -> None:
        super().__init__(owner)
        self._owner = owner
        self._maps: AttentionMaps | None = None
        self._points: Any = None
        self._asked: tuple[Any, ...] = ()
        self.answer: AttentionMap | None = None
        self.place = QPushButton("Place p&oint")
        self.block = plain_combo("")
        self.head = plain_combo("")
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.form = plain_form()
        self.form.addRow(self.place)
        self.form.addRow("&Block", self.block)
        self.form.addRow("&Head", self.head)
        self.form.addRow(self.line)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self._ask)
        self._resting = QTimer(self)
        self._resting.setSingleShot(True)
        self._resting.setInterval(REST_MS)
        self._resting.timeout.connect(self._tell)
        self.place.clicked.connect(self._on_place)
        for combo in (self.block, self.head):
            combo.currentIndexChanged.connect(lambda _index: self._later())
        self.suit(None)

    @property
    def waiting(self) -> bool:
        """Return whether the point was moved and is not asked about yet."""
        return self._timer.isActive() or self._resting.isActive()

    @property
    def points(self) -> Points | None:
        """Return the layer with the point, if it is there."""
        there = self._points is not None and self._points in self._owner.viewer.layers
        return self._points if there and len(self._points.data) else None

    def suit(self, inspection: Inspection | None) -> None:
        """Offer the blocks and heads of a network; without one, say why nothing can be chosen."""
        self._maps, self._asked, self.answer = None, (), None
        why = "Run first"
        if inspection is not None:
            from napari_lgmsnet.core.inspect.attention import AttentionMaps

            self._maps = AttentionMaps(inspection)
            blocks = self._maps.blocks
            why = "" if blocks else "This checkpoint's network has no blocks of global attention"
            refill(self.block, [(stage.title, stage.name) for stage in blocks])
            heads: list[tuple[str, Any]] = [("mean of all", None)]
            heads += [(str(number), number) for number in range(self._maps.heads)]
            refill(self.head, heads)
        allow(self.place, why, HOW)
        allow(self.block, why, "Which block of global attention is asked")
        allow(self.head, why, "Each block looks in several ways at once, its heads")
        self.line.setText(why and f"{why}.")
        self._later()

    def leave(self) -> None:
        """Stop following the point. May be called when Qt has deleted this already."""
        if self._points is not None:
            for event in (self._points.events.data, self._points.events.set_data):
                event.disconnect(self._on_moved)
            self._points = None

    def _on_place(self) -> None:
        looked = self._owner.looked
        if looked is None or not self._owner.still_there(looked):
            return
        points = self.points
        if points is None or points.ndim != looked.place.image.ndim:
            points = self._make(looked)
        else:
            points.data = self._middle(looked)[None]
        self._owner.viewer.layers.selection.active = points
        points.mode = "select"
        points.selected_data = {0}
        self._later()

    def _make(self, looked: Looked) -> Points:
        self.leave()
        image = looked.place.image
        points = Points(
            self._middle(looked)[None],
            name=f"{image.name} point",
            size=max(shape_of(image)[-2:]) / 30,
            face_color="#ffffff60",
            border_color="#00e5ff",
            border_width=0.2,
            symbol="disc",
            out_of_slice_display=False,
            **geometry_of(image),
        )
        self._owner.viewer.add_layer(points)
        self._points = points
        for event in (points.events.data, points.events.set_data):
            event.connect(self._on_moved)
        return points

    def _middle(self, looked: Looked) -> np.ndarray:
        """Return the middle of what was inspected, in the slice on screen, in the layer's data."""
        part = looked.place.now()
        view = regions.view_of(part, self._owner.viewer.dims)
        index = np.zeros(len(part.shape))
        for axis, cut in enumerate(looked.place.region):
            if not isinstance(cut, slice):
                index[axis] = cut
            elif axis in view.displayed:
                index[axis] = (cut.start + cut.stop - 1) / 2
            else:
                index[axis] = np.clip(view.step[axis], cut.start, cut.stop - 1)
        layer = looked.place.image
        world = np.asarray(layer.data_to_world(np.zeros(layer.ndim)), dtype=float)
        world[list(part.axes)] = part.affine[:-1, :-1] @ index + part.affine[:-1, -1]
        return np.asarray(layer.world_to_data(world), dtype=float)

    def _on_moved(self, _event: Any = None) -> None:
        # Point and map are drawn together, if the map can be had at once.
        if self.answer is None or not self._ask(quickly=True):
            self._later()

    def _later(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _ask(self, *, quickly: bool = False) -> bool:
        """Ask about the point; return whether there is nothing left to ask.

        Parameters
        ----------
        quickly : bool
            Only if the network need not run, and no layer has to be made.
        """
        looked, points, maps = self._owner.looked, self.points, self._maps
        if looked is None or points is None or maps is None or not self.block.count():
            return True
        if points.ndim != looked.place.image.ndim or not self._owner.still_there(looked):
            return True
        world = np.asarray(points.data_to_world(points.data[-1]), dtype=float)
        point = looked.place.index_of(world)
        wanted = (point, str(self.block.currentData()), self.head.currentData())
        if wanted == self._asked:
            return True
        try:
            ready = maps.ready(point) and not self._owner.queue.busy
            if quickly and not ready:
                return False
            answer = maps.at(*wanted) if ready else None
        except InputError as error:
            self._asked = wanted
            self.line.setText(str(error))
            return True
        if quickly:
            assert answer is not None
            if not self._owner.maps.follow(ATTENTION, looked.place, answer.map):
                return False
            self._asked, self.answer = wanted, answer
            self._resting.start()
            return True
        self._asked = wanted
        if answer is not None:
            self._on_answer(looked, maps, answer)
        else:
            job = inspect_jobs.attend(maps, *wanted)
            self._owner.queue.ask(ATTEND, job, lambda one: self._on_answer(looked, maps, one))
        return True

    def _on_answer(self, looked: Looked, maps: AttentionMaps, answer: AttentionMap) -> None:
        if maps is self._maps and self._owner.still_there(looked):
            self.answer = answer
            self._tell()

    def _tell(self) -> None:
        """Show the map with everything that belongs to it, and say what it is."""
        looked, answer = self._owner.looked, self.answer
        if looked is None or answer is None or not self._owner.still_there(looked):
            return
        self._owner.maps.show(ATTENTION, looked.place, answer.map, answer.map.name)
        best = float(answer.weights.max()) * answer.weights.size
        words = f"{answer.map.stage}, {answer.map.kind}: the strongest patch gets {best:.1f} times "
        words += "an even share."
        if answer.outside > 0.005:
            words += f" {answer.outside:.0%} of the attention goes to padding around the image."
        self.line.setText(words)
