"""Segment a volume that does not fit into memory: block by block, here or on a cluster.

A block is computed from the file alone: from every window that touches it, blended exactly as in
memory. So no block needs another one's result, at most one block's windows are in memory, and a
run that was killed goes on with the blocks that are missing. The price is that windows across the
border of two blocks are computed for both.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lgmsnet import __version__
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.headless import Input, Level
from napari_lgmsnet.core.io import read_levels
from napari_lgmsnet.core.large.block import probabilities_of_block, probabilities_of_slices
from napari_lgmsnet.core.large.intensity import Box, Scaling, find_scaling
from napari_lgmsnet.core.large.linear import Span
from napari_lgmsnet.core.large.source import Prepared, Source, box_turned
from napari_lgmsnet.core.large.store import Image
from napari_lgmsnet.core.large.stores import begin_all, finish_all, store_of
from napari_lgmsnet.core.large.zarr_store import ENDING
from napari_lgmsnet.core.levels import choose_level
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.postprocess import labels_from_probabilities
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.preprocess import turn
from napari_lgmsnet.core.slices import slicing
from napari_lgmsnet.core.types import Progress, Volume

if TYPE_CHECKING:
    from distributed import Client

BLOCK = 192
"""Edge of a block of a 3D network, in voxels of the file."""
SLICES = 8
"""Slices in a block of a 2D network."""
_PLANE, _CUBE = 1024, 96


@dataclass(frozen=True)
class LargeResult:
    """What was written.

    Parameters
    ----------
    mask : Path
    probability : Path or None
    blocks : int
        How many there are.
    computed : int
        How many of them were computed now, and not by a run before.
    seconds : float
    notes : tuple of str
        What a person should know, for instance that an engine was not used, and why.
    """

    mask: Path
    probability: Path | None
    blocks: int
    computed: int
    seconds: float
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "mask": str(self.mask),
            "probability": None if self.probability is None else str(self.probability),
            "blocks": self.blocks,
            "computed": self.computed,
            "seconds": round(self.seconds, 3),
            "notes": self.notes,
        }

    def describe(self) -> str:
        """Return it in one line."""
        before = self.blocks - self.computed
        left = f", {before} of them by an earlier run" if before else ""
        said = f"{self.mask}: {self.blocks} blocks{left}, in {self.seconds:.1f} s"
        return "; ".join([said, *self.notes])


@dataclass(frozen=True)
class _Task:
    """One block to compute, as it travels to a worker."""

    number: int
    box: Box


def predict_large(
    model: Model,
    source: Source,
    mask: Path,
    settings: PredictSettings,
    *,
    probability: Path | None = None,
    overwrite: bool = False,
    client: Client | None = None,
    block: int = BLOCK,
) -> Generator[Progress, None, LargeResult]:
    """Segment a volume in a file into OME-Zarr or uncompressed NIfTI.

    Parameters
    ----------
    model : Model
    source : Source
        A file that can be read in parts: OME-Zarr, NIfTI, TIFF.
    mask : Path
        Ends in ``.zarr``, or in ``.nii`` for volumes that lie turned or mirrored in space. It
        appears when it is whole; until then it grows in a hidden folder beside, and a run that was
        interrupted goes on there.
    settings : PredictSettings
    probability : Path, optional
        For the foreground's probability; ends as ``mask`` may.
    overwrite : bool
    client : distributed.Client, optional
        Blocks are computed by its workers, which must see the same files.
    block : int
        Edge of a block, in voxels. Smaller needs less memory and computes more windows twice.

    Yields
    ------
    Progress
        One a block.

    Raises
    ------
    InputError
        If the volume does not suit the checkpoint, or the format cannot hold the result.
    """
    start = time.perf_counter()
    volume = source.open()
    flat = model.info.recipe.dimensions == 2
    boxes = _slabs(volume, model) if flat else _blocks(volume.spatial_shape, block)
    run = _Runner(model, settings, source, client)
    stores = [store_of(path) for path in (mask, probability) if path is not None]
    work = _work(model, source, settings, block)
    chunks = _chunks(volume, model, block)
    kinds = (np.uint8, np.float32)[: len(stores)]
    images = [Image(volume, dtype, chunks) for dtype in kinds]
    begin_all(stores, images, work, overwrite=overwrite)
    scaling: Scaling | None = None
    if not flat:
        scaling = yield from run.scaling(block)
    targets = tuple(None if store.placed else store.target for store in stores)
    missing = sorted({n for store in stores for n in store.missing(len(boxes))})
    tasks = [_Task(number, boxes[number]) for number in missing]
    done = len(boxes) - len(tasks)
    yield Progress(done, len(boxes), f"{len(boxes)} blocks")
    notes: dict[str, None] = {}
    for of_block in run.each(_compute, tasks, targets, scaling):
        done += 1
        notes |= dict.fromkeys(of_block)
        yield Progress(done, len(boxes), f"block {done} of {len(boxes)}")
    finish_all(stores)
    seconds = time.perf_counter() - start
    return LargeResult(mask, probability, len(boxes), len(tasks), seconds, tuple(notes))


def plan_large(
    model: Model,
    inputs: Sequence[Input],
    mask: Path,
    settings: PredictSettings,
    *,
    probabilities: bool = False,
    overwrite: bool = False,
    client: Client | None = None,
    level: Level = 0,
    frame: int | None = None,
    series: str | None = None,
) -> Generator[Progress, None, LargeResult]:
    """Return the work for one input, as a person asks for it; see :func:`predict_large`.

    Raises
    ------
    InputError
        If there are several inputs, or the input would be replaced.
    """
    if len(inputs) != 1:
        raise InputError(
            f'"{mask}" is the mask of one volume, written block by block: give one input'
        )
    path = inputs[0].path
    if mask.resolve() == path.resolve():
        raise InputError(f'"{mask}" is the input: choose another output')
    if level == "auto":
        shapes = read_levels(path, lazy=True, series=series)
        finest, recipe = shapes[0], model.info.recipe
        level = choose_level(
            [one.spatial_shape for one in shapes],
            finest.affine,
            finest.units,
            recipe,
            native=settings.native,
        )
    source = Source(path.absolute(), level, frame, settings.channels, series)
    kind = mask.suffix.lower()
    stem = mask.name[: len(mask.name) - len(kind)].removesuffix(".ome").removesuffix("_mask")
    ome = ".ome" * (kind == ENDING)
    probability = mask.with_name(f"{stem}_probability{ome}{kind}") if probabilities else None
    return predict_large(
        model, source, mask.absolute(), settings,
        probability=None if probability is None else probability.absolute(),
        overwrite=overwrite, client=client,
    )  # fmt: skip


class _Runner:
    """Runs functions here, or on the workers of a cluster."""

    def __init__(
        self, model: Model, settings: PredictSettings, source: Source, client: Client | None
    ) -> None:
        self._model, self._settings, self._source = model, settings, source
        self._client = client
        self._parcel: Any = None
        if client is not None:
            from napari_lgmsnet.core.batch.cluster import Parcel

            self._parcel = client.scatter(Parcel.of(model), broadcast=True, hash=False)

    def each(
        self, function: Callable[..., Any], items: Iterable[Any], *shared: Any
    ) -> Iterator[Any]:
        """Call ``function(model, settings, source, *shared, item)`` for each item."""
        if self._client is None:
            for item in items:
                yield function(self._model, self._settings, self._source, *shared, item)
            return
        from napari_lgmsnet.core.batch.bounded import spread
        from napari_lgmsnet.core.batch.cluster import explained

        task = partial(_on_worker, function)
        for _, result in spread(
            self._client, task, items, self._parcel, self._settings, self._source, *shared
        ):
            if isinstance(result, BaseException):
                raise explained(result)
            yield result

    def scaling(self, block: int) -> Generator[Progress, None, Scaling]:
        """Look at all intensities."""
        prepared = Prepared(self._source, self._model.info)
        boxes = _blocks(prepared.resampled, block)

        def each(function: Callable[..., Any], items: Iterable[Any], *shared: Any) -> Iterator[Any]:
            return self.each(partial(_look, function), items, *shared)

        return (yield from find_scaling(prepared, boxes, each))


def _on_worker(
    function: Callable[..., Any],
    parcel: Any,
    settings: PredictSettings,
    source: Source,
    *arguments: Any,
) -> Any:
    from napari_lgmsnet.core.batch.cluster import one_at_a_time

    with one_at_a_time():
        return function(parcel.open(), settings, source, *arguments)


def _look(
    function: Callable[..., Any],
    model: Model,
    _settings: PredictSettings,
    source: Source,
    *arguments: Any,
) -> Any:
    return function(Prepared(source, model.info), *arguments)


def _compute(
    model: Model,
    settings: PredictSettings,
    source: Source,
    targets: tuple[Path | None, ...],
    scaling: Scaling | None,
    task: _Task,
) -> tuple[str, ...]:
    """Compute and write one block; return what a person should know of it."""
    box = tuple(slice(*span) for span in task.box)
    if scaling is None:
        probabilities, notes = probabilities_of_slices(model, source, settings, box)
    else:
        prepared = Prepared(source, model.info)
        there = box_turned(prepared.grid, task.box)
        found, notes = probabilities_of_block(model, prepared, scaling, settings, there)
        probabilities = _turned_back(found, prepared)
    data: list[NDArray[Any]] = [labels_from_probabilities(probabilities, settings.threshold)]
    if len(targets) > 1:
        one = probabilities.shape[0] == 1
        data.append(probabilities[0] if one else np.float32(1) - probabilities[0])
    for target, part in zip(targets, data, strict=True):
        if target is not None:
            store_of(target).write(task.number, box, part)
    return notes


def _turned_back(array: NDArray[np.float32], prepared: Prepared) -> NDArray[np.float32]:
    """Return a block (K, *S) of the turned volume in the file's own axes."""
    grid = prepared.grid
    array = np.flip(array, tuple(axis + 1 for axis in grid.flips)) if grid.flips else array
    return array.transpose(0, *(int(axis) + 1 for axis in np.argsort(grid.order)))


def _spans(size: int, step: int) -> list[Span]:
    return [(start, min(size, start + step)) for start in range(0, size, step)]


def _blocks(shape: tuple[int, ...], edge: int) -> list[Box]:
    return list(product(*(_spans(n, edge) for n in shape)))


def _slabs(volume: Volume, model: Model) -> list[Box]:
    """Return boxes of a few slices each, never one alone: that would be cut in another way."""
    axis = _slice_axis(volume, model)
    spans = _spans(volume.spatial_shape[axis], SLICES)
    if len(spans) > 1 and spans[-1][1] - spans[-1][0] == 1:
        spans[-2:] = [(spans[-2][0], spans[-1][1])]
    whole = [(0, n) for n in volume.spatial_shape]
    return [tuple(span if i == axis else whole[i] for i in range(len(whole))) for span in spans]


def _slice_axis(volume: Volume, model: Model) -> int:
    """Return the file's axis along which a 2D network takes the slices."""
    _, grid = turn(volume, slicing(volume, model.info.recipe.orientation))
    return grid.order[0]


def _chunks(volume: Volume, model: Model, block: int) -> tuple[int, ...]:
    """Return chunks of the result, of which no two blocks share one."""
    if model.info.recipe.dimensions == 3:
        edge = max(n for n in range(1, min(block, _CUBE) + 1) if block % n == 0)
        return tuple(min(n, edge) for n in volume.spatial_shape)
    axis = _slice_axis(volume, model)
    return tuple(1 if i == axis else min(n, _PLANE) for i, n in enumerate(volume.spatial_shape))


def _work(model: Model, source: Source, settings: PredictSettings, block: int) -> dict[str, Any]:
    """Return what determines the result; of a large file its state rather than its content."""
    if not source.path.exists():
        raise InputError(f'there is no file "{source.path}"')
    files = [source.path] if source.path.is_file() else sorted(source.path.rglob("*"))
    digest = hashlib.sha256()
    for path in files:
        state = path.stat()
        if path.is_file():
            name = path.relative_to(source.path.parent).as_posix()
            digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    chosen = {
        "files": digest.hexdigest(),
        "source": [source.level, source.frame, source.channels, source.series],
        "checkpoint": model.sha256,
        "recipe": model.info.recipe.model_dump(mode="json"),
        "settings": settings.of_the_result().model_dump(mode="json"),
        "block": block,
        "version": __version__,
    }
    plain: dict[str, Any] = json.loads(json.dumps(chosen))
    return plain
