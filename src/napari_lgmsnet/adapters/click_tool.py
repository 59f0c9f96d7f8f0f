"""Clicks on the canvas that correct a mask: what a click means, and the way back."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from psygnal import Signal

from napari_lgmsnet.adapters import correct_jobs
from napari_lgmsnet.adapters.bench import Bench
from napari_lgmsnet.adapters.edit_target import Target
from napari_lgmsnet.adapters.results import checkpoint_of

if TYPE_CHECKING:
    from napari_lgmsnet.adapters.jobs import Loaded
    from napari_lgmsnet.core.prediction import Prediction
    from napari_lgmsnet.core.refine.refiner import Refiner

READY, CLICK, NETWORK = "ready", "click", "network"
LARGE = 0.25
"""A click that changes more than this part of a class is asked about. Of 3620 simulated clicks
(benchmarks/clicks.py) seven made a mask worse by more than 0.1 IoU; all of them changed more."""
LESS = 0.5
"""How far the same click reaches when it was too much."""
STILL = 5.0
"""A press that moves further, in pixels of the screen, is a drag."""


class ClickTool:
    """Lets a person click where a mask is wrong.

    A click says that the voxel is wrong: outside of the class it is added, inside it is taken
    away, with what belongs to it. With Shift it says that the voxel is right and has to stay.

    Parameters
    ----------
    bench : Bench

    Attributes
    ----------
    corrected : psygnal signal
        With the :class:`~napari_lgmsnet.adapters.correct_jobs.Clicked` that was carried out.
    """

    corrected = Signal(object)

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._on: Labels | None = None
        self._refiner: Refiner | None = None
        self._target: Target | None = None
        self._label = 0
        self._clicked: list[correct_jobs.Clicked] = []
        self._answer: tuple[Target, str, Prediction | None] | None = None
        self._waiting: list[tuple[NDArray[np.floating], bool]] = []
        bench.chosen.connect(self._follow)
        bench.edited.connect(self._look_back)
        bench.queue.failed.connect(self._drop_waiting)
        bench.queue.stopped.connect(self._drop_waiting)

    @property
    def active(self) -> bool:
        """Return whether clicks on the canvas correct the mask."""
        return self._on is not None

    @property
    def clicks(self) -> int:
        """Return how many clicks on this frame and class are in force."""
        return len(self._clicked)

    def start(self) -> None:
        """Take clicks on the canvas for corrections from now on."""
        mask = self._bench.mask
        if mask is None or self._on == mask:
            return
        self.stop()
        self._on = mask
        mask.mode = "pan_zoom"
        mask.mouse_drag_callbacks.append(self._pressed)
        self._bench.viewer.layers.selection.active = mask
        self._bench.queue.ask(READY, correct_jobs.get_ready(), lambda _ready: None)

    def stop(self) -> None:
        """Leave clicks on the canvas to the viewer again."""
        if self._on is not None and self._pressed in self._on.mouse_drag_callbacks:
            self._on.mouse_drag_callbacks.remove(self._pressed)
        self._on = None

    def click(self, world: NDArray[np.floating], *, keep: bool = False) -> None:
        """Correct the mask at a point of the viewer's world.

        Parameters
        ----------
        world : float array
        keep : bool
            The voxel is right, instead of wrong.
        """
        # One after the other: each starts from what the one before left.
        self._waiting.append((world, keep))
        if len(self._waiting) == 1:
            self._next()

    def less(self) -> None:
        """Let the last click reach half as far."""
        target = self._target
        if target is None or self._bench.queue.busy or not self._clicked:
            return
        last = self._clicked[-1]
        self._bench.session.writer.finish()
        target.mask.undo()
        if not last.change.fits(target.labels):
            target.mask.redo()
            self._bench.said.emit("The mask was edited since that click: take that back first.")
            return
        self._look_back()
        click = last.correction.click
        # Whatever is clicked meanwhile has to wait for it.
        self._waiting.append((np.asarray(target.point_of(click.index)), False))
        self._ask(target, click.index, positive=click.positive, share=LESS * last.share)

    def forget(self) -> None:
        """Let go of the image and the earlier clicks."""
        self._refiner, self._target = None, None
        self._answer = None
        self._clicked.clear()
        self._waiting.clear()

    def _next(self) -> None:
        world, keep = self._waiting[0]
        try:
            target = self._bench.target()
            index = target.index_of(world)
        except Exception as error:  # noqa: BLE001 (a click on the canvas must never raise there)
            self._waiting.clear()
            self._bench.failed.emit(error)
            return
        label = self._bench.label
        if index is None or label == 0:
            self._waiting.clear()
            self._bench.said.emit(
                "That click lies outside of the mask." if label else "Choose a class first."
            )
            return
        if not target.same_frame(self._target) or label != self._label:
            self._refiner = None
            self._clicked.clear()
        self._target, self._label = target, label
        if self._refiner is None and self._ask_network(target):
            return  # the click goes on with the answer
        inside = bool(target.labels[index] == label)
        self._ask(target, index, positive=inside if keep else not inside)

    def _ask(
        self, target: Target, index: tuple[int, ...], *, positive: bool, share: float = 1.0
    ) -> None:
        label, lock = self._label, self._bench.lock
        job = correct_jobs.click(
            target,
            self._refiner,
            self._probability(target, label) if self._refiner is None else None,
            label,
            index,
            positive=positive,
            share=share,
            locked=self._bench.locked,
            kept=None if lock is None else lock.kept(target.box),
        )
        self._bench.queue.ask(CLICK, job, lambda answer: self._on_clicked(target, answer))

    def _on_clicked(self, target: Target, clicked: correct_jobs.Clicked) -> None:
        self._refiner = clicked.refiner
        done = partial(self._on_written, clicked)
        self._bench.write(target, clicked.change, "click", done)

    def _on_written(self, clicked: correct_jobs.Clicked, written: bool) -> None:
        if written:
            self._clicked.append(clicked)
            self.corrected.emit(clicked)
        else:
            clicked.refiner.undo()
        if self._waiting:
            self._waiting.pop(0)
        if self._waiting:
            self._next()

    def _probability(self, target: Target, label: int) -> NDArray[np.floating] | None:
        """Return what the network says of a class on a frame; None where it was not asked."""
        result = self._bench.session.results.behind(target.mask)
        if result is None and self._asked(target):
            from napari_lgmsnet.core.refine.apply import of_class

            assert self._answer is not None
            prediction = self._answer[2]
            return None if prediction is None else of_class(prediction.probabilities, label)
        if result is None or not 0 < label < max(2, len(result.prediction.info.classes)):
            return None
        if len(result.prediction.info.classes) == 2:
            whole: NDArray[np.floating] = result.probability.data[target.box]
            return whole
        probabilities = result.prediction.probabilities[label]
        whole = np.zeros(target.mask.data.shape, np.float32)
        whole[result.region] = probabilities
        return whole[target.box]

    def _asked(self, target: Target) -> bool:
        """Return whether the network that made a mask was asked about this frame."""
        answer, made_by = self._answer, checkpoint_of(target.mask)
        return answer is not None and target.same_frame(answer[0]) and made_by == answer[1]

    def _ask_network(self, target: Target) -> bool:
        """Ask the network what it thought of a mask that comes without it, once a frame.

        Returns
        -------
        bool
            Whether it was asked.
        """
        session = self._bench.session
        wanted = None if self._asked(target) else session.network_of(target.mask)
        if wanted is None or session.results.behind(target.mask) is not None:
            return False
        # From now on it counts as asked, also if that fails or is stopped.
        sha256 = checkpoint_of(target.mask)
        self._answer = (target, sha256, None)
        job = correct_jobs.ask_network(target, wanted, sha256)
        self._bench.queue.ask(NETWORK, job, lambda answer: self._on_answer(target, *answer))
        return True

    def _on_answer(self, target: Target, loaded: Loaded, prediction: Prediction | None) -> None:
        self._bench.session.loaded = loaded
        self._answer = (target, checkpoint_of(target.mask), prediction)
        if self._waiting:
            self._next()

    def _drop_waiting(self) -> None:
        """After an error or a stop, clicks that waited for their turn are not made any more."""
        self._waiting.clear()

    def _look_back(self) -> None:
        """After an undo, forget the clicks that it took back."""
        target = self._target
        while self._clicked and self._refiner is not None and target is not None:
            change = self._clicked[-1].change
            if change.empty or not change.fits(target.labels):
                return
            self._clicked.pop()
            self._refiner.undo()

    def _follow(self) -> None:
        """Stay with the mask that is worked on."""
        if self._on is not None and self._on != self._bench.mask:
            self.stop()
            self.start()
        if self._target is not None and self._target.mask != self._bench.mask:
            self.forget()

    def _pressed(self, _layer: Labels, event: Any) -> Generator[None, None, None]:
        """Tell a click from a drag, which moves the view."""
        if event.button != 1 or event.dims_displayed is None or len(event.dims_displayed) != 2:
            return
        start = np.asarray(event.pos, dtype=float)
        yield
        while event.type == "mouse_move":
            if np.hypot(*(np.asarray(event.pos, dtype=float) - start)) > STILL:
                return
            yield
        keep = "Shift" in [str(getattr(one, "name", one)) for one in event.modifiers]
        self.click(np.asarray(event.position, dtype=float), keep=keep)
