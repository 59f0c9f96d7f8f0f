"""What the widgets of one viewer share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from psygnal import Signal

from napari_lgmsnet.adapters.results import Result, Results

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import LayerList

    from napari_lgmsnet.adapters.jobs import Loaded

Means = Literal["stroke", "click", "tool", "network"]

_SESSIONS: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()


class Session:
    """What the widgets of one viewer share; get it from :func:`session_of`.

    Attributes
    ----------
    results : Results
        The layers that predictions made.
    loaded : Loaded or None
        The checkpoint that was used last, in memory.
    means : "stroke", "click", "tool" or "network"
        By what a mask is being changed at this moment (:meth:`changing_by`); a stroke if nobody
        says otherwise.
    predicted : psygnal signal
        With a :class:`Result`: a prediction was shown, or cut at another threshold.
    mask_chosen : psygnal signal
        With a Labels layer and its Image layer, opened by one widget for all of them to work on.
    """

    predicted = Signal(Result)
    mask_chosen = Signal(object, object)

    def __init__(self, layers: LayerList) -> None:
        # Not the viewer: what is held for as long as it lives must not keep it alive.
        self.results = Results(layers)
        self.loaded: Loaded | None = None
        self.means: Means = "stroke"

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
