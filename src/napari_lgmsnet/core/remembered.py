"""Predictions of a moment ago: the same image, checkpoint and settings are not computed again."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from napari_lgmsnet.core.types import Progress, Volume

if TYPE_CHECKING:
    from napari_lgmsnet.core.model import Model
    from napari_lgmsnet.core.prediction import Prediction, PredictSettings

LIMIT = 256 * 2**20
"""Bytes of labels and probabilities that are kept at most."""
_NO_IMAGE = Volume.from_array(np.zeros((1, 1), np.uint8), "YX", name="no image")
NOTE = "from memory, the same was asked before"


class Remembered:
    """Predictions, the ones that were not asked for longest forgotten first.

    Parameters
    ----------
    limit : int
        Bytes of labels and probabilities at most; a larger prediction is not kept.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, Prediction] = OrderedDict()
        self._lock = Lock()

    @property
    def size(self) -> int:
        """Return the bytes that are kept."""
        with self._lock:
            return sum(map(_bytes_of, self._kept.values()))

    def iterate(
        self, model: Model, volume: Volume, settings: PredictSettings
    ) -> Generator[Progress, None, Prediction]:
        """Segment a volume as :func:`~napari_lgmsnet.core.inference.iterate`, or recall it.

        The threshold may be another one. Lazy data are never recalled: comparing them would mean
        to read them. A recalled prediction says so in its notes; its arrays are copies.
        """
        from napari_lgmsnet.core import inference

        if volume.is_lazy:
            return (yield from inference.iterate(model, volume, settings))
        start = time.perf_counter()
        key = _key(model, volume, settings)
        found = self._recall(key)
        if found is not None:
            answer = replace(
                found.at_threshold(settings.threshold),
                probabilities=found.probabilities.copy(),
                volume=volume,
                notes=(*found.notes, NOTE),
            )
            return replace(answer, seconds=time.perf_counter() - start)
        prediction = yield from inference.iterate(model, volume, settings)
        self._keep(key, prediction)
        return prediction

    def _recall(self, key: str) -> Prediction | None:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def _keep(self, key: str, prediction: Prediction) -> None:
        if _bytes_of(prediction) > self._limit:
            return
        # A person will paint into the labels; the image would be held for nothing.
        kept = replace(
            prediction,
            labels=prediction.labels.copy(),
            probabilities=prediction.probabilities.copy(),
            volume=_NO_IMAGE,
        )
        with self._lock:
            self._kept[key] = kept
            size = sum(map(_bytes_of, self._kept.values()))
            while size > self._limit:
                size -= _bytes_of(self._kept.popitem(last=False)[1])


def _bytes_of(prediction: Prediction) -> int:
    return prediction.labels.nbytes + prediction.probabilities.nbytes


def _key(model: Model, volume: Volume, settings: PredictSettings) -> str:
    """Return a hash of all that determines a prediction but its threshold."""
    digest = hashlib.sha256()
    data = np.ascontiguousarray(volume.data)
    words = (
        model.info.model_dump_json(),
        settings.model_dump_json(exclude={"threshold"}),
        volume.axes,
        str(data.dtype),
        str(data.shape),
    )
    for word in words:
        digest.update(word.encode() + b"\0")
    digest.update(np.ascontiguousarray(volume.affine).data)
    digest.update(model.engines.weights_sha256().encode())
    digest.update(data.data)
    return digest.hexdigest()
