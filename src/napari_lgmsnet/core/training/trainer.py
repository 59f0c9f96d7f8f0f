"""Train a network from scratch: resumable after a kill, the same seed gives the same curve."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from napari_lgmsnet.core.checkpoints import save
from napari_lgmsnet.core.device import autocast, choose_device
from napari_lgmsnet.core.errors import TrainingError
from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.io.atomic import atomic_path
from napari_lgmsnet.core.metrics import dice_per_class, iou_from_dice
from napari_lgmsnet.core.model import Model, new_model
from napari_lgmsnet.core.network import LGMSNet
from napari_lgmsnet.core.postprocess import labels_from_probabilities, probabilities_from_logits
from napari_lgmsnet.core.training.augment import Augmentation, paste_box
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
        If the data cannot be used, the folder holds another run, or the loss is not finite.
    """
    with joined(device) as (processes, own_device):
        return (yield from _train(config, Path(data), Path(run), own_device, parent, processes))


def _train(
    config: TrainingConfig,
    data: Path,
    run: Path,
    device: str,
    parent: Model | None,
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
    state = Run(config, model, run, choose_device(device), *cases, processes)
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
    ) -> None:
        self.processes = processes or Processes()
        self.config, self.folder, self.device = config, folder, device
        self.train_cases, self.validation_cases = train_cases, validation_cases
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
        self.steps = math.ceil(len(train_cases) / config.batch_size)
        self.processes.check_batches(len(train_cases), self.steps)
        self.trained = self.processes.wrap(self.network, device)
        self.schedule = make_schedule(config, self.optimiser, config.epochs * self.steps)
        self.augmentation = Augmentation(config.augmentation, config.recipe.window)
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
        order = np.random.default_rng((self.config.seed, self.epoch)).permutation(
            len(self.train_cases)
        )
        total = 0.0
        for step, places in enumerate(np.array_split(order, self.steps)):
            message = f"epoch {self.epoch + 1} of {self.config.epochs}"
            yield Progress(self.epoch * self.steps + step, self.config.epochs * self.steps, message)
            own = self.processes.share(places)
            pairs = [self._sample(int(place)) for place in own]
            images = torch.stack([image for image, _ in pairs]).to(self.device)
            masks = torch.stack([mask for _, mask in pairs]).to(self.device)
            if self.config.recipe.dimensions == 2:
                images = images.to(memory_format=torch.channels_last)
            with autocast(self.device):
                logits = self.trained(images)
            loss = self.loss(logits.float(), masks.float())
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
        return self.processes.total(total) / len(self.train_cases)

    def _sample(self, place: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return one varied training sample; seed, epoch and place determine it."""
        sequence = np.random.SeedSequence((self.config.seed, self.epoch, place))
        seed, other, box = (int(n) for n in sequence.generate_state(3))
        sample = self._varied(place, seed)
        if np.random.default_rng(box).random() < self.config.augmentation.mix:
            pasted = self._varied(other % len(self.train_cases), other)
            sample = paste_box(sample, pasted, box)
        return sample

    def _varied(self, place: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        case = self.train_cases[place]
        image, mask = random_window(case.image, case.mask, self.config.recipe.window, seed)
        return self.augmentation(image, mask, seed)

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


def random_window(
    image: torch.Tensor, mask: torch.Tensor, window: tuple[int, ...], seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut a random window out of an image (C, *S) and its mask (1, *S), padded where smaller."""
    generator = np.random.default_rng(seed)
    pads: list[int] = []
    for n, w in zip(reversed(image.shape[1:]), reversed(window), strict=True):
        missing = max(0, w - n)
        before = int(generator.integers(0, missing + 1))
        pads += [before, missing - before]
    if any(pads):
        image = F.pad(image[None], pads, mode="replicate")[0]
        mask = F.pad(mask[None].float(), pads, mode="replicate")[0].to(mask.dtype)
    starts = [
        int(generator.integers(0, n - w + 1)) for n, w in zip(image.shape[1:], window, strict=True)
    ]
    box = (slice(None), *(slice(s, s + w) for s, w in zip(starts, window, strict=True)))
    return image[box], mask[box]


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
