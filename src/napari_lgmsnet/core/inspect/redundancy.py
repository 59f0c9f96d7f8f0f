"""How many of a stage's channels say something of their own (the paper's figure 1c)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet.core.inspect.maps import gram


@dataclass(frozen=True)
class Spectrum:
    """The singular values of a stage.

    Parameters
    ----------
    values : float64 array (n,)
        Of the matrix channels x positions, the largest first; n is the smaller of both numbers.
    channels : int
    """

    values: NDArray[np.float64]
    channels: int

    @property
    def effective_rank(self) -> float:
        """Return the effective rank (Roy and Vetterli, EUSIPCO 2007, definition 2.1).

        The exponential of the entropy of the singular values, divided by their sum: 1 if all
        channels are multiples of one, the number of channels if all are orthogonal and equally
        strong; NaN if all are zero.
        """
        total = self.values.sum()
        if not total:
            return float("nan")
        shares = self.values[self.values > 0] / total
        return float(np.exp(-np.sum(shares * np.log(shares))))


def spectrum(features: NDArray[np.float32]) -> Spectrum:
    """Return the singular values of features (C, *cells), not centred.

    They come from the products of the shorter side in double precision, so that nothing of the
    size of the matrix is made; values below 1e-7 of the largest are rounding errors and are 0.
    """
    flat = features.reshape(len(features), -1)
    if flat.shape[1] < len(flat):
        flat = flat.T
    squares = np.linalg.eigvalsh(gram(flat))[::-1].clip(min=0.0)
    values = np.sqrt(squares)
    values[values < 1e-7 * values[:1]] = 0.0
    return Spectrum(values, len(features))
