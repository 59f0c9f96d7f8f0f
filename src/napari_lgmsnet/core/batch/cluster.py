"""Many files on many processes or machines, with dask.distributed.

Workers read images and write masks themselves, so all of them must see the same folders. What
travels is small: the weights, once to each worker, and a few hundred bytes a case.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import torch
from numpy.typing import NDArray

from napari_lgmsnet.core import progress
from napari_lgmsnet.core.batch.bounded import spread
from napari_lgmsnet.core.batch.case import OF_ONE_CASE, Ready, failed, prepare, write
from napari_lgmsnet.core.batch.outcome import Outcome, Tell, tell_nobody
from napari_lgmsnet.core.checkpoints import build
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.headless import Job
from napari_lgmsnet.core.inference import iterate
from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.optional import optional
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.types import Progress

if TYPE_CHECKING:
    from distributed import Client

_PATIENCE = "30s"
_LARGEST_PACK, _PACKS = 16, 8
"""Cases in a pack at most, and packs for each worker at least."""
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

_model: tuple[str, Model] | None = None
_busy = Lock()


@dataclass(frozen=True, eq=False)
class Parcel:
    """A network as it travels to a worker.

    Parameters
    ----------
    tensors : dict of str to array
    info : str
        Its description, as JSON.
    sha256 : str
        Of the checkpoint's file.
    key : str
        What tells it from other parcels.
    """

    tensors: dict[str, NDArray[Any]]
    info: str
    sha256: str
    key: str

    @classmethod
    def of(cls, model: Model) -> Parcel:
        """Pack a network."""
        state = model.network.state_dict()
        tensors = {name: tensor.detach().cpu().numpy() for name, tensor in state.items()}
        info = model.info.model_dump_json()
        return cls(tensors, info, model.sha256, f"{model.sha256} {info} {id(model)}")

    def open(self) -> Model:
        """Return the network; a worker that has it already does not build it again."""
        global _model
        if _model is None or _model[0] != self.key:
            info = ModelInfo.model_validate_json(self.info)
            # Copies: what arrives may be read-only.
            state = {name: torch.from_numpy(np.array(one)) for name, one in self.tensors.items()}
            network = build(state, info.architecture, Path(info.name))
            _model = (self.key, Model(network, info, self.sha256))
        return _model[1]


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let this worker do nothing else meanwhile, and read lazy data itself.

    A worker with several threads would hold as many volumes at once. And a lazy array that is
    computed on a worker would become tasks of the cluster, for which it would wait while the next
    task waits for it.
    """
    import dask

    with _busy, dask.config.set(scheduler="synchronous"):
        yield


@contextmanager
def connected(
    workers: int | None = None, scheduler: str | None = None, *, threads: int | None = None
) -> Iterator[Client]:
    """Give a connection to workers.

    Parameters
    ----------
    workers : int, optional
        So many processes are started on this machine, which share its cores and its memory.
    scheduler : str, optional
        Address of one that runs already, such as ``tcp://head:8786``.
    threads : int, optional
        Of torch in each process that is started; its share of the cores without it.

    Raises
    ------
    InputError
        If both or none are given, distributed is missing, or nobody answers there.
    """
    if (workers is None) == (scheduler is None):
        raise InputError("give a number of workers or a scheduler's address, and not both")
    distributed = optional("distributed", "cluster", "computing on several workers")
    if scheduler is not None:
        _check_address(scheduler)
        try:
            client = distributed.Client(scheduler, timeout=_PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            raise InputError(
                f'no scheduler answers at "{scheduler}" ({error}): start '
                "one with `dask scheduler`, and give its address as tcp://HOST:PORT"
            ) from error
        with client:
            if not client.scheduler_info(n_workers=-1)["workers"]:
                raise InputError(
                    f'the scheduler at "{scheduler}" has no worker: start some with `dask worker '
                    f"{scheduler}`"
                )
            yield client
        return
    share = str(threads or max(1, (os.cpu_count() or 1) // (workers or 1)))
    with (
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs=logging.ERROR,
            # Without this, Dask would leave one thread to torch however many cores there are.
            env=dict.fromkeys(_THREADS, share),
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def _check_address(scheduler: str) -> None:
    """Refuse what is no address: Dask's client would take a minute to be dropped, and complain."""
    parts = urlsplit(scheduler if "://" in scheduler else f"tcp://{scheduler}")
    try:
        whole = bool(parts.hostname and parts.port)
    except ValueError:  # a port that is no number, or too large
        whole = False
    if not whole and parts.scheme in ("tcp", "tls"):
        raise InputError(
            f'"{scheduler}" is no scheduler\'s address: write it as tcp://HOST:PORT, as '
            "`dask scheduler` prints it"
        )


def run_on_cluster(
    client: Client,
    model: Model,
    jobs: Sequence[Job],
    settings: PredictSettings,
    tell: Tell = tell_nobody,
) -> Generator[Progress, None, list[Outcome]]:
    """Segment many files on workers; see :func:`~napari_lgmsnet.core.batch.run_jobs`.

    Each worker works on one case at a time, and has at most one more pack of cases waiting. The
    cases of a worker that dies are given to others; one that killed its worker several times has
    failed.

    Yields
    ------
    Progress
        One a pack; few cases travel one by one.

    Returns
    -------
    list of Outcome
        In the order of the jobs.
    """
    outcomes: dict[int, Outcome] = {}
    parcel = client.scatter(Parcel.of(model), broadcast=True, hash=False)
    absolute = [_absolute(job) for job in jobs]
    workers = len(client.scheduler_info(n_workers=-1)["workers"])
    size = pack_size(len(jobs), workers)
    packs = [range(start, min(start + size, len(jobs))) for start in range(0, len(jobs), size)]
    yield Progress(0, len(jobs), f"{len(jobs)} cases")
    while packs:
        alone: list[range] = []
        work = [tuple(absolute[number] for number in pack) for pack in packs]
        for place, result in spread(client, work_on, work, parcel, settings):
            pack = packs[place]
            if isinstance(result, BaseException):
                error = explained(result)
                if len(pack) > 1:  # only the case that is to blame shall fail
                    alone += [range(number, number + 1) for number in pack]
                    continue
                result = [failed(jobs[pack[0]], error)]
            for number, outcome in zip(pack, result, strict=True):
                job = jobs[number]
                outcomes[number] = replace(outcome, source=str(job.source), mask=str(job.mask))
                tell(outcomes[number])
            yield Progress(len(outcomes), len(jobs), jobs[pack[-1]].source.name)
        packs = alone
    return [outcomes[number] for number in sorted(outcomes)]


def pack_size(cases: int, workers: int) -> int:
    """Return how many cases travel together: few, unless there are very many of them.

    Every task takes the scheduler some milliseconds, which is too much for each of a hundred
    thousand small images; but with fewer than some packs a worker, the last ones would wait.
    """
    return max(1, min(_LARGEST_PACK, cases // (_PACKS * max(1, workers))))


def explained(error: BaseException) -> BaseException:
    """Return an error that says in plain words that workers died; others as they are.

    Raises
    ------
    BaseException
        What is a defect rather than about one case.
    """
    import distributed

    if isinstance(error, distributed.KilledWorker):
        return MemoryError("its worker died each time: is there enough memory for it?")
    if not isinstance(error, OF_ONE_CASE):
        raise error
    return error


def work_on(parcel: Parcel, settings: PredictSettings, jobs: Sequence[Job]) -> list[Outcome]:
    """Do some cases one after another, on a worker."""
    outcomes = []
    with one_at_a_time():
        model = parcel.open()
        for job in jobs:
            item = prepare(job, model, settings)
            if isinstance(item, Ready):
                item = _finished(model, settings, item)
            outcomes.append(item)
    return outcomes


def _finished(model: Model, settings: PredictSettings, ready: Ready) -> Outcome:
    try:
        prediction = progress.run(iterate(model, ready.volume, settings))
    except OF_ONE_CASE as error:
        return failed(ready.job, error)
    return write(ready, prediction)


def _absolute(job: Job) -> Job:
    """Return a job that means the same files wherever a worker was started."""
    probability, record = (
        None if path is None else path.absolute() for path in (job.probability, job.record)
    )
    return replace(
        job,
        source=job.source.absolute(),
        mask=job.mask.absolute(),
        probability=probability,
        record=record,
    )
