"""Where to look: the network's doubt, region by region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_lgmsnet.adapters import correct_jobs
from napari_lgmsnet.adapters.bench import Bench
from napari_lgmsnet.adapters.doubt_tour import Tour, show_doubt, show_region
from napari_lgmsnet.adapters.edit_target import Target
from napari_lgmsnet.adapters.results import checkpoint_of
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.widgets.combos import plain_combo
from napari_lgmsnet.widgets.forms import plain_form

if TYPE_CHECKING:
    from napari_lgmsnet.core.prediction import Prediction

DOUBT, LOOK = "doubt", "look"
AT_ONCE, VIEWS = "probabilities", "views"


class DoubtSection(QObject):
    """A layer of doubt, and buttons that go through its regions.

    Parameters
    ----------
    bench : Bench
    parent : QWidget
    """

    def __init__(self, bench: Bench, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self.tour: Tour | None = None
        self.way = plain_combo("How doubt is found")
        self.way.addItem("From the probabilities (at once)", AT_ONCE)
        self.way.addItem("From flipped and shifted views (slower, surer)", VIEWS)
        self.show = QPushButton("Show doubt")
        self.previous = QPushButton("◀ Previous")
        self.done = QPushButton("Done ✓")
        self.next = QPushButton("Next ▶")
        self.show.setToolTip("Lay over the image how unsure the network is, and list the regions")
        self.done.setToolTip("Tick this region off, and go to the next one")
        self.line = QLabel()
        self.line.setWordWrap(True)
        form = plain_form()
        form.addRow(self.way)
        row = QHBoxLayout()
        for button in (self.previous, self.done, self.next):
            row.addWidget(button)
        self.layout_ = QVBoxLayout()
        self.layout_.addLayout(form)
        self.layout_.addWidget(self.show)
        self.layout_.addLayout(row)
        self.layout_.addWidget(self.line)
        self.show.clicked.connect(self.ask)
        self.previous.clicked.connect(lambda: self.go(-1))
        self.next.clicked.connect(lambda: self.go(1))
        self.done.clicked.connect(self.tick_off)
        bench.chosen.connect(self._on_chosen)
        self._on_chosen()

    def ask(self) -> None:
        """Find out where the network doubts."""
        bench = self._bench
        try:
            target = bench.target()
            shown = bench.session.results.behind(target.mask)
            # A project keeps no probabilities, but knows the network.
            wanted = bench.session.network_of(target.mask) if shown is None else None
            if self.way.currentData() == AT_ONCE:
                if wanted is None:
                    self._on_entropy(target, self._from_probabilities(target))
                    return
                sha256 = checkpoint_of(target.mask)
                asking = correct_jobs.ask_network(target, wanted, sha256)
                bench.queue.ask(DOUBT, asking, lambda answer: self._on_answer(target, *answer))
                return
            loaded, image = bench.session.loaded, target.pixels()
            reference = loaded.reference if loaded is not None else ""
            settings = self._settings(target)
            if wanted is not None:
                loaded, reference, settings = wanted.loaded, wanted.reference, wanted.settings
            if not reference or image is None:
                raise InputError(
                    "views need a network and an image: run Segment on this image first"
                )
        except InputError as error:
            bench.failed.emit(error)
            return
        job = correct_jobs.doubt(image, reference, loaded, settings)
        bench.queue.ask(DOUBT, job, lambda answer: self._on_views(target, *answer))

    def go(self, by: int) -> None:
        """Look at the next (1) or previous (-1) region."""
        if self.tour is None:
            self.ask()
            return
        region = self.tour.step(by)
        if region is None:
            self.line.setText("Nothing doubtful is left.")
            return
        show_region(self._bench.viewer, self.tour, region)
        unit = "mm" if self.tour.target.units == "mm" else "px"
        power = "²" if self.tour.target.plane is None else "³"
        self.line.setText(
            f"Region {self.tour.place + 1} of {len(self.tour.regions)}: about "
            f"{region.score:.3g} {unit}{power} in doubt."
        )

    def tick_off(self) -> None:
        """Tick the region that is looked at off, and go to the next one."""
        if self.tour is None:
            return
        seen = self.tour.tick_off()
        if seen is not None:
            self._bench.session.vouched.emit(self.tour.target.mask, seen)
        show_doubt(self._bench.viewer, self.tour)
        self.go(1)

    def _from_probabilities(self, target: Target) -> Any:
        result = self._bench.session.results.behind(target.mask)
        if result is None:
            raise InputError(
                "there are no probabilities of this mask: run Segment on its image first"
            )
        entropy = _entropy(result.probability.data[target.box])
        covered = np.zeros(target.mask.data.shape, bool)
        covered[result.region] = True
        return np.where(covered[target.box], entropy, 0)

    def _settings(self, target: Target) -> Mapping[str, Any]:
        result = self._bench.session.results.behind(target.mask)
        return {} if result is None else result.prediction.settings.model_dump()

    def _on_answer(self, target: Target, loaded: Any, prediction: Prediction | None) -> None:
        self._bench.session.loaded = loaded
        if prediction is None:
            self._bench.failed.emit(
                InputError(
                    "the checkpoint that made this mask is another one now: predict the case again"
                )
            )
            return
        self._on_entropy(target, _entropy(prediction.foreground))

    def _on_views(self, target: Target, loaded: Any, found: Any) -> None:
        self._bench.session.loaded = loaded
        self._on_entropy(target, found.entropy)

    def _on_entropy(self, target: Target, entropy: Any) -> None:
        if target.mask not in self._bench.viewer.layers:
            return
        before = self.tour
        done = np.zeros(entropy.shape, bool)
        if before is not None and target.same_frame(before.target):
            done = before.done
        self.tour = Tour(target, entropy, done)
        show_doubt(self._bench.viewer, self.tour)
        job = correct_jobs.look_for_doubt(entropy, target.spacing, done)
        self._bench.queue.ask(LOOK, job, self._on_regions)

    def _on_regions(self, regions: list[Any]) -> None:
        if self.tour is None:
            return
        self.tour.regions, self.tour.place = regions, -1
        self._enable()
        self.go(1)

    def _on_chosen(self) -> None:
        if self.tour is not None and self.tour.target.mask != self._bench.mask:
            self.tour = None
            self.line.setText("")
        self._enable()

    def _enable(self) -> None:
        self.show.setEnabled(self._bench.mask is not None)
        for button in (self.previous, self.done, self.next):
            button.setEnabled(self.tour is not None)


def _entropy(probability: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return how unsure a network is that says this of the foreground, in bits."""
    p = np.clip(probability.astype(np.float32), 1e-6, 1 - 1e-6)
    return np.asarray(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)), dtype=np.float32)
