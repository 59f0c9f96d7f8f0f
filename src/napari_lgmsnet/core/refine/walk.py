"""A random walk on a small grid that is held by a prior, and free where a click asks for it.

Grady, "Multilabel random walker image segmentation using prior models", CVPR 2005: the answer u
minimises the sum over neighbouring cells of w (u_i - u_j)^2 plus the sum over cells of
strength (u_i - prior_i)^2, with some cells given. That is one sparse linear system.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

Floats = NDArray[np.float64]

WEAKEST = 1e-4
"""Weight of an edge between cells that have nothing in common: the system stays solvable."""
_DIRECT = 2
_TOLERANCE = 1e-4
_STEPS = 400


def walk(
    features: Floats,
    steps: tuple[float, ...],
    prior: Floats,
    strength: Floats,
    given: NDArray[np.bool_],
    values: Floats,
) -> Floats:
    """Return the probability of each cell.

    Parameters
    ----------
    features : float array (*S, F)
        Cells with like features stick together: an edge weighs exp(-squared difference).
    steps : tuple of float
        Length of a step along each axis, in any unit; a longer step binds less.
    prior : float array (*S)
        What each cell is pulled to, 0 to 1.
    strength : float array (*S)
        How strongly, 0 (free) to 1 (as strongly as to an equal neighbour).
    given : bool array (*S)
        Cells that have the value in ``values`` whatever their neighbours say.
    values : float array (*S)

    Returns
    -------
    float array (*S)
        0 to 1.
    """
    shape = prior.shape
    graph = _edges(features, steps, shape)
    degree = np.asarray(graph.sum(axis=1)).ravel()
    system = (sparse.diags_array(degree + strength.ravel()) - graph).tocsr()
    fixed, free = np.flatnonzero(given), np.flatnonzero(~given)
    answer = prior.ravel().copy()
    answer[fixed] = values.ravel()[fixed]
    if not free.size:
        return answer.reshape(shape)
    rows = system[free]
    target = (strength * prior).ravel()[free] - rows[:, fixed] @ answer[fixed]
    answer[free] = _solve(rows[:, free], target, answer[free], len(shape))
    return np.clip(answer, 0.0, 1.0).reshape(shape)


def _solve(system: sparse.csr_array, target: Floats, guess: Floats, dimensions: int) -> Floats:
    """Solve directly on a plane, where that is fastest, and step by step in space."""
    if dimensions <= _DIRECT:
        return np.asarray(linalg.spsolve(system.tocsc(), target))
    scaling = sparse.diags_array(1.0 / system.diagonal())
    answer, _ = linalg.cg(system, target, x0=guess, rtol=_TOLERANCE, maxiter=_STEPS, M=scaling)
    return np.asarray(answer)


def _edges(features: Floats, steps: tuple[float, ...], shape: tuple[int, ...]) -> sparse.csr_array:
    """Return the symmetric matrix of weights between cells that share a face."""
    numbers = np.arange(np.prod(shape)).reshape(shape)
    shortest = min(steps)
    first, second, weights = [], [], []
    for axis, step in enumerate(steps):
        ahead = (slice(None),) * axis + (slice(1, None),)
        behind = (slice(None),) * axis + (slice(None, -1),)
        difference = ((features[ahead] - features[behind]) ** 2).sum(axis=-1)
        first.append(numbers[behind].ravel())
        second.append(numbers[ahead].ravel())
        weights.append(((np.exp(-difference) + WEAKEST) * (shortest / step) ** 2).ravel())
    i, j, w = np.concatenate(first), np.concatenate(second), np.concatenate(weights)
    matrix = sparse.coo_array(
        (np.concatenate([w, w]), (np.concatenate([i, j]), np.concatenate([j, i]))),
        shape=(numbers.size, numbers.size),
    )
    return matrix.tocsr()
