"""Train a network from scratch: resumable after a kill, the same seed gives the same curve."""

from __future__ import annotations

import csv
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from napari_lgmsnet.core.checkpoints import save
from napari_lgmsnet.core.device import autocast, choose_device
from napari_lgmsnet.core.distillation import distance_from_teacher
from napari_lgmsnet.core.errors import TrainingError
from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.metrics import dice_per_class, iou_from_dice
from napari_lgmsnet.core.model import Model, new_model
from napari_lgmsnet.core.network import LGMSNet
from napari_lgmsnet.core.postprocess import labels_from_probabilities, probabilities_from_logits
from napari_lgmsnet.core.training.config import TrainingConfig
from napari_lgmsnet.core.training.curve import draw_curve
from napari_lgmsnet.core.training.data import (
    Case,
    check_classes,
    check_disjoint,
    list_cases,
    load_cases,
)
from napari_lgmsnet.core.training.optimise import (
    make_average,
    make_loss,
    make_optimiser,
    make_schedule,
)
from napari_lgmsnet.core.training.processes import Processes, joined
from napari_lgmsnet.core.training.samples import Samples
from napari_lgmsnet.core.training.teacher import Teacher, taught
from napari_lgmsnet.core.types import Progress
from napari_lgmsnet.core.windows import slide

LOG_FIELDS = ("epoch", "loss", "learning_rate", "dice", "iou", "seconds")
STATE_FILE, LOG_FILE, CURVE_FILE, BEST_FILE, CONFIG_FILE = (
    "last.pt",
    "log.csv",
    "curve.png",
    "best.safetensors",
    "config.json",
)


@dataclass(frozen=True)
class TrainingResult:
    """What a run leaves.

    Parameters
    ----------
    checkpoint : Path
        The best weights, in the project's own format.
    dice, iou : float
        Of these weights, mean over the validation cases and classes, at the recipe's size.
    epoch : int
        When they were reached.
    """

    checkpoint: Path
    dice: float
    iou: float
    epoch: int


def train(
    config: TrainingConfig,
    data: str | Path,
    run: str | Path,
    *,
    device: str = "auto",
    parent: Model | None = None,
    teacher: str | Path | None = None,
) -> Generator[Progress, None, TrainingResult]:
    """Train a network and keep the weights that validate best.

    Started by torchrun, several processes share each batch; see
    :mod:`~napari_lgmsnet.core.training.processes`.

    Parameters
    ----------
    config : TrainingConfig
    data : str or Path
        Folder that holds what ``config.data`` names.
    run : str or Path
        Folder for log, state and checkpoint. If it holds an unfinished run of the same
        configuration, that run is resumed after its last whole epoch.
    device : str
        As for :func:`~napari_lgmsnet.core.device.choose_device`.
    parent : Model, optional
        Start from its weights instead of random ones, for instance to finish at a larger size.
    teacher : str or Path, optional
        A network whose answers count beside the masks (``config.teacher_weight``), as for
        :class:`~napari_lgmsnet.core.training.teacher.Teacher`.

    Yields
    ------
    Progress
        One a step.

    Returns
    -------
    TrainingResult

    Raises
    ------
    TrainingError
        If data or teacher cannot be used, the folder holds another run, or the loss is not finite.
    """
    with joined(device) as (processes, own_device):
        path = None if teacher is None else Path(teacher)
        config, its = taught(config, path, choose_device(own_device))
        job = _train(config, Path(data), Path(run), own_device, parent, its, processes)
        return (yield from job)


def _train(
    config: TrainingConfig,
    data: Path,
    run: Path,
    device: str,
    parent: Model | None,
    teacher: Teacher | None,
    processes: Processes,
) -> Generator[Progress, None, TrainingResult]:
    train_files = list_cases(data, config.data, config.data.train)
    validation_files = list_cases(data, config.data, config.data.validation)
    check_disjoint(train_files, validation_files)
    if processes.first:
        _check_folder(run, config)
    processes.wait()
    info = config.model_info()
    train_cases = yield from load_cases(train_files, config.data, info)
    validation_cases = yield from load_cases(validation_files, config.data, info)
    check_classes(train_cases, info, "training")
    check_classes(validation_cases, info, "validation")
    model = new_model(info, config.seed) if parent is None else _child(info, parent)
    # Only now: a run that its data stopped may be begun again with other settings.
    if processes.first:
        _claim(run, config)
    processes.wait()
    cases = train_cases, validation_cases
    state = Run(config, model, run, choose_device(device), *cases, processes, teacher)
    return (yield from state.go())


class Run:
    """A training run and its state between epochs."""

    def __init__(
        self,
        config: TrainingConfig,
        model: Model,
        folder: Path,
        device: torch.device,
        train_cases: list[Case],
        validation_cases: list[Case],
        processes: Processes | None = None,
        teacher: Teacher | None = None,
    ) -> None:
        self.teacher = teacher
        self.processes = processes or Processes()
        self.config, self.folder, self.device = config, folder, device
        self.samples, self.validation_cases = Samples(config, train_cases), validation_cases
        self.model = model
        self.network: LGMSNet = self.model.network.to(device)
        if config.recipe.dimensions == 2:
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # as documented
        self.average = make_average(self.network, config.average_decay)
        averaged = self.average.module
        assert isinstance(averaged, LGMSNet)
        self.averaged = averaged
        self.loss = make_loss(config)
        self.optimiser = make_optimiser(config, self.network)
        self.steps = self.samples.steps
        self.processes.check_batches(len(train_cases), self.steps)
        self.trained = self.processes.wrap(self.network, device)
        self.schedule = make_schedule(config, self.optimiser, config.epochs * self.steps)
        self.epoch = 0
        self.best = TrainingResult(folder / BEST_FILE, -1.0, -1.0, -1)

    def go(self) -> Generator[Progress, None, TrainingResult]:
        """Train from where the folder's state stands to the last epoch."""
        self._resume()
        while self.epoch < self.config.epochs:
            start = time.perf_counter()
            loss = yield from self._epoch()
            dice = iou = float("nan")
            last = self.epoch + 1 == self.config.epochs
            if last or (self.epoch + 1) % self.config.validate_every == 0:
                dice, iou = yield from self._validate()
                self._keep_if_better(dice, iou)
            if self.processes.first:
                self._log(loss, dice, iou, time.perf_counter() - start)
            self.epoch += 1
            if self.processes.first:
                draw_curve(self.folder / LOG_FILE, self.folder / CURVE_FILE, self.config.name)
                self._store()
        return self.best

    def _epoch(self) -> Generator[Progress, None, float]:
        """Train for one epoch and return the mean loss."""
        self.network.train()
        total = 0.0
        for step, places in enumerate(self.samples.batches(self.epoch)):
            message = f"epoch {self.epoch + 1} of {self.config.epochs}"
            yield Progress(self.epoch * self.steps + step, self.config.epochs * self.steps, message)
            own = self.processes.share(places)
            images, masks = (part.to(self.device) for part in self.samples.stack(self.epoch, own))
            if self.config.recipe.dimensions == 2:
                images = images.to(memory_format=torch.channels_last)
            with autocast(self.device):
                logits = self.trained(images)
            loss = self.loss(logits.float(), masks.float())
            if self.teacher is not None:
                apart = distance_from_teacher(logits.float(), self.teacher(images))
                loss = loss + self.config.teacher_weight * apart
            if not torch.isfinite(loss):
                raise TrainingError(
                    f"the loss is not finite in epoch {self.epoch + 1}: lower the learning rate"
                )
            self.optimiser.zero_grad(set_to_none=True)
            (loss * self.processes.weight(len(own), len(places))).backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
            self.optimiser.step()
            self.schedule.step()
            self.average.update_parameters(self.network)
            total += float(loss.detach()) * len(own)
        return self.processes.total(total) / len(self.samples)

    def _validate(self) -> Generator[Progress, None, tuple[float, float]]:
        """Return mean Dice and IoU of the averaged weights over the validation cases."""
        network = self.averaged.eval()
        recipe = self.config.recipe
        classes = len(self.model.info.classes)
        scores = []
        cases = self.processes.mine(self.validation_cases)
        for done, case in enumerate(cases):
            yield Progress(done, len(cases), f"validating {case.name}")
            windows = slide(network, case.image, recipe.window, recipe.overlap, self.device)
            logits = yield from windows
            labels = labels_from_probabilities(probabilities_from_logits(logits).numpy())
            scores.append(dice_per_class(labels, case.mask[0].numpy(), classes))
        dice = np.array(self.processes.gathered(scores))
        return float(np.nanmean(dice)), float(np.nanmean(iou_from_dice(dice)))

    def _keep_if_better(self, dice: float, iou: float) -> None:
        if dice <= self.best.dice:
            return
        metrics = {"validation Dice while training": dice, "validation IoU while training": iou}
        info = self.model.info.model_copy(update={"metrics": metrics})
        if self.processes.first:
            save(self.folder / BEST_FILE, Model(self.averaged, info), overwrite=True)
        self.best = TrainingResult(self.folder / BEST_FILE, dice, iou, self.epoch + 1)

    def _store(self) -> None:
        state = {
            "epoch": self.epoch,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "best": [self.best.dice, self.best.iou, self.best.epoch],
        }
        with atomic_path(self.folder / STATE_FILE, overwrite=True) as temporary:
            torch.save(state, temporary)

    def _resume(self) -> None:
        path = self.folder / STATE_FILE
        if not path.exists():
            return
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.epoch = state["epoch"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        dice, iou, epoch = state["best"]
        self.best = TrainingResult(self.folder / BEST_FILE, dice, iou, epoch)

    def _log(self, loss: float, dice: float, iou: float, seconds: float) -> None:
        """Append a line; lines of epochs that a kill undid are dropped first."""
        path = self.folder / LOG_FILE
        rows: list[dict[str, str]] = []
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                rows = [row for row in csv.DictReader(file) if int(row["epoch"]) <= self.epoch]
        values = (loss, self.schedule.get_last_lr()[0], dice, iou, seconds)
        row = {"epoch": str(self.epoch + 1)}
        row |= {k: f"{v:.6g}" for k, v in zip(LOG_FIELDS[1:], values, strict=True)}
        with (
            atomic_path(path, overwrite=True) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, LOG_FIELDS)
            writer.writeheader()
            writer.writerows([*rows, row])


def _child(info: ModelInfo, parent: Model) -> Model:
    """Return a model with a parent's weights and another description."""
    if info.architecture != parent.info.architecture:
        raise TrainingError(
            f'"{parent.info.name}" is a network of other sizes than this configuration asks for: '
            "choose another checkpoint to start from, or change [architecture]"
        )
    return Model(parent.network, info.model_copy(update={"parent_sha256": parent.sha256}))


def _check_folder(run: Path, config: TrainingConfig) -> None:
    """Refuse a folder that holds a run of another configuration."""
    path = run / CONFIG_FILE
    if path.exists() and path.read_text(encoding="utf-8") != _text(config):
        raise TrainingError(
            f'"{run}" holds a run with other settings: choose another folder to train in'
        )


def _claim(run: Path, config: TrainingConfig) -> None:
    """Make the run's folder, unless this run was begun before."""
    _check_folder(run, config)
    if not (run / CONFIG_FILE).exists():
        run.mkdir(parents=True, exist_ok=True)
        with atomic_path(run / CONFIG_FILE, overwrite=False) as temporary:
            temporary.write_text(_text(config), encoding="utf-8")


def _text(config: TrainingConfig) -> str:
    return config.model_dump_json(indent=2)
