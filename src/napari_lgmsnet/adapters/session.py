"""What the widgets of one viewer share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from psygnal import Signal

from napari_lgmsnet.adapters.gradual import Writer
from napari_lgmsnet.adapters.results import Result, Results

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import LayerList
    from napari.layers import Layer

    from napari_lgmsnet.adapters.case_jobs import Wanted
    from napari_lgmsnet.adapters.jobs import Loaded
    from napari_lgmsnet.core.project import Project

Means = Literal["stroke", "click", "tool", "network"]

_SESSIONS: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()


class Session:
    """What the widgets of one viewer share; get it from :func:`session_of`.

    Attributes
    ----------
    writer : Writer
        Writes large changes into masks, piece by piece.
    results : Results
        The layers that predictions made.
    loaded : Loaded or None
        The checkpoint that was used last, in memory.
    network_of : callable
        Returns with what a mask was predicted whose probabilities were not kept; None for others.
    project : Project or None
        The one that is open in this viewer.
    means : "stroke", "click", "tool" or "network"
        By what a mask is being changed at this moment (:meth:`changing_by`); a stroke if nobody
        says otherwise.
    predicted : psygnal signal
        With a :class:`Result`: a prediction was shown, or cut at another threshold.
    mask_chosen : psygnal signal
        With a Labels layer and its Image layer, opened by one widget for all of them to work on.
    checkpoint_made : psygnal signal
        With a checkpoint's file, or the name of one that ships: it is to be used from now on.
    project_changed : psygnal signal
        Another project is open, or none.
    vouched : psygnal signal
        With a Labels layer and where in it, as a tuple of index arrays or of slices: the person
        looked at these voxels and vouches for them, background included.
    """

    predicted = Signal(Result)
    mask_chosen = Signal(object, object)
    checkpoint_made = Signal(str)
    project_changed = Signal()
    vouched = Signal(object, tuple)

    def __init__(self, layers: LayerList) -> None:
        # Not the viewer: what is held for as long as it lives must not keep it alive.
        self.writer = Writer(layers)
        self.results = Results(layers, self.writer, partial(self.changing_by, "network"))
        self.loaded: Loaded | None = None
        self.means: Means = "stroke"
        self.network_of: Callable[[Layer], Wanted | None] = lambda _mask: None
        self.project: Project | None = None
        self._layers = layers
        self._actions: dict[str, Callable[[], object]] = {}

    def use_project(self, project: Project | None) -> None:
        """Say which project is open now."""
        self.project = project
        self.project_changed.emit()

    def offer(self, name: str, action: Callable[[], object]) -> None:
        """Say what a key does, as long as the widget that does it is open."""
        self._actions[name] = action

    def withdraw(self, name: str, action: Callable[[], object]) -> None:
        """Take an offer back, unless another widget has made the same one since."""
        if self._actions.get(name) == action:
            del self._actions[name]

    def do(self, name: str) -> bool:
        """Do what a key stands for; return whether anybody offers it."""
        action = self._actions.get(name)
        if action is not None:
            action()
        return action is not None

    def has(self, layer: Layer) -> bool:
        """Return whether a layer is open in this viewer."""
        return layer in self._layers

    @contextmanager
    def changing_by(self, means: Means) -> Iterator[None]:
        """Say by what a mask is changed inside of this, to whoever keeps account of edits."""
        before, self.means = self.means, means
        try:
            yield
        finally:
            self.means = before


def session_of(viewer: Viewer) -> Session:
    """Return the session of a viewer, or of the one behind a proxy; made when first asked for."""
    # A widget gets a proxy of its own, every one of which stands for the same viewer.
    real = getattr(viewer, "__wrapped__", viewer)
    if real not in _SESSIONS:
        _SESSIONS[real] = Session(real.layers)
    return _SESSIONS[real]


def session_with(layer: Layer) -> Session | None:
    """Return the session of the viewer that a layer is open in, if it has one."""
    return next((one for one in list(_SESSIONS.values()) if one.has(layer)), None)
