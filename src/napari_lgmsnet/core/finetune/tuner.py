"""The training itself: steps within a budget, and what is kept of them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Generator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_lgmsnet.core.device import autocast
from napari_lgmsnet.core.distillation import distance_from_teacher
from napari_lgmsnet.core.errors import TrainingError
from napari_lgmsnet.core.finetune.blend import Blend
from napari_lgmsnet.core.finetune.control import Control, TuneProgress
from napari_lgmsnet.core.finetune.loss import LabelledLoss
from napari_lgmsnet.core.finetune.network import averaged, freeze, set_training
from napari_lgmsnet.core.finetune.result import CurvePoint
from napari_lgmsnet.core.finetune.sampling import Sampler
from napari_lgmsnet.core.finetune.settings import FineTuneSettings, Plan
from napari_lgmsnet.core.network import LGMSNet
from napari_lgmsnet.core.training.optimise import make_average, parameter_groups

_DECAY = 0.95
_WEIGHT_DECAY = 1e-2
_RISE = 0.1
_LAST = 0.02
_CHECKS = 16
_CHECKING_SHARE = 0.12
_CLEARLY = 0.003
_GIVEN_UP = 0.2
"""Of the gain, for a smaller share of new weights: they forget less, and so few cases are noisy."""
_ANCHOR = 10.0
_DISTILL = 2.0

Score = Callable[[LGMSNet], Generator[TuneProgress, None, float]]
"""Returns mean Dice on held-out parts."""


class Tuner:
    """A network in training.

    Parameters
    ----------
    network : LGMSNet
        Changed in place.
    parent : dict of str to Tensor
        Weights to return to; those of ``network`` before training where the head is new.
    plan : Plan
    settings : FineTuneSettings
    sampler : Sampler
    score : callable
        Mean Dice of a network on held-out parts.
    start_dice : float
        That of the network before training.
    held_out : int
        How many cases ``score`` asks for.
    device : torch.device
    control : Control
    """

    def __init__(
        self,
        network: LGMSNet,
        parent: dict[str, Tensor],
        plan: Plan,
        settings: FineTuneSettings,
        sampler: Sampler,
        score: Score,
        start_dice: float,
        held_out: int,
        device: torch.device,
        control: Control,
    ) -> None:
        self.network = network.to(device)
        self.parent = {key: tensor.to(device) for key, tensor in parent.items()}
        self.plan, self.settings, self.sampler = plan, settings, sampler
        self.score, self.device, self.control = score, device, control
        if network.architecture.dimensions == 2:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # as documented
        self.teacher = copy.deepcopy(network).eval() if sampler.replayed else None
        freeze(network, plan.train)
        self.anchors = [
            (p, p.detach().clone()) for p in network.parameters() if p.requires_grad
        ] if plan.guard == "anchor" else []  # fmt: skip
        self.average = make_average(network, _DECAY)
        module = self.average.module
        assert isinstance(module, LGMSNet)
        self.scored = module
        self.loss = LabelledLoss(network.architecture.out_channels)
        groups = parameter_groups(network, _WEIGHT_DECAY)
        self.optimiser = torch.optim.AdamW(groups, lr=plan.learning_rate, fused=True)
        self.step = 0
        self.seconds = 0.0
        self.checking = 0.0
        self.checked_at = 0.0
        self.curve: list[CurvePoint] = []
        self.blend = Blend(held_out)
        self.losses: list[float] = []
        self.start_dice = start_dice

    @property
    def steps(self) -> int | None:
        """Return how many steps there are, where epochs were asked for."""
        if self.settings.epochs is None:
            return None
        return self.settings.epochs * self.sampler.steps_per_epoch

    @property
    def fraction(self) -> float:
        """Return how much of the budget is used, 0 to 1."""
        if self.steps is not None:
            return self.step / self.steps
        return min(1.0, self.seconds / self.settings.seconds)

    def run(self, keep: Callable[[], None]) -> Generator[TuneProgress, None, None]:
        """Train until the budget is used or the person stops.

        Parameters
        ----------
        keep : callable
            Writes the state down; called after every check on held-out cases.
        """
        while self.fraction < 1.0 and not self.control.stopped:
            start = self.control.clock()
            loss = self._train_step()
            self.losses.append(loss)
            self.step += 1
            took = self.control.clock() - start
            self.seconds += took
            dice = None
            if self._is_due():
                start = self.control.clock()
                dice = yield from self._check()
                self.seconds += self.control.clock() - start
                self.checking += self.control.clock() - start
                self.checked_at = self.fraction
                keep()
            message = f"step {self.step}"
            progress = self._progress(
                message, loss, self.sampler.batch_size / max(took, 1e-9), dice
            )
            yield progress
            yield from self.control.waiting(progress)
        if self.step and (not self.curve or self.curve[-1].step != self.step):
            dice = yield from self._check()
            yield self._progress("last check", None, None, dice)

    def _is_due(self) -> bool:
        if self.steps is not None:
            return self.step % max(1, self.steps // _CHECKS) == 0
        rare = self.fraction - self.checked_at >= 1 / _CHECKS
        return rare and self.checking <= _CHECKING_SHARE * self.seconds

    def _train_step(self) -> float:
        set_training(self.network, self.plan.train, self.plan.frozen_statistics)
        images, targets = self.sampler.batch(self.step)
        images, targets = images.to(self.device), targets.to(self.device)
        if images.ndim == 4:
            images = images.to(memory_format=torch.channels_last)
        rate = self.plan.learning_rate * self._schedule()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with autocast(self.device):
            logits = self.network(images)
        loss: Tensor = self.loss(logits.float(), targets)
        if self.teacher is not None:
            loss = loss + _DISTILL * self._apart(self.teacher, images, logits.float(), targets)
        if not torch.isfinite(loss):
            raise TrainingError("the loss is not finite: lower the learning rate")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call] # torch
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        with torch.no_grad():
            for parameter, origin in self.anchors:
                parameter.lerp_(origin, min(1.0, rate * _ANCHOR))
        self.average.update_parameters(self.network)
        return float(loss.detach())

    def _apart(self, teacher: LGMSNet, images: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
        """Return how far the answers on replayed images are from the parent's."""
        first = len(images) - self.sampler.replayed
        own, size = self.plan.parent_window, images.shape[2:]
        with torch.no_grad(), autocast(self.device):
            wanted = resized(teacher(resized(images[first:], own)).float(), size)
        return distance_from_teacher(logits[first:], wanted, targets[first:] > 0)

    def _schedule(self) -> float:
        done = self.fraction
        if done < _RISE:
            return max(_LAST, (done + 0.02) / (_RISE + 0.02))
        fall = (done - _RISE) / (1 - _RISE)
        return _LAST + (1 - _LAST) * 0.5 * (1 + math.cos(math.pi * fall))

    def _check(self) -> Generator[TuneProgress, None, float]:
        """Score the weights in every share; the gentlest of equals joins what is kept."""
        weights = _copied(self.scored.state_dict())
        found = []
        for share in self.plan.shares:
            self.scored.load_state_dict(averaged(self.parent, weights, share))
            found.append(((yield from self.score(self.scored.eval())), share))
        self.scored.load_state_dict(weights)
        top = max(dice for dice, _ in found)
        allowed = max(_CLEARLY, _GIVEN_UP * (top - self.start_dice))
        dice, share = min((one for one in found if one[0] >= top - allowed), key=lambda one: one[1])
        mean = sum(self.losses) / max(1, len(self.losses))
        self.curve.append(CurvePoint(self.step, self.seconds, mean, dice, share))
        self.losses = []
        self.blend.add(averaged(self.parent, weights, share), dice, share)
        return dice

    def _progress(
        self, message: str, loss: float | None, rate: float | None, dice: float | None
    ) -> TuneProgress:
        total = self.steps
        left: float | None = None
        if total is None:
            left = max(0.0, self.settings.seconds - self.seconds)
            step, total = round(self.seconds), math.ceil(self.settings.seconds)
        else:
            step = self.step
            left = self.seconds / max(1, self.step) * (total - self.step)
        return TuneProgress(
            min(step, total), total, message, "train", loss, rate, left, dice, self.step
        )

    def state(self) -> dict[str, Any]:
        """Return what is needed to go on, tensors and plain values only."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "checking": self.checking,
            "checked_at": self.checked_at,
            "losses": list(self.losses),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "curve": [[p.step, p.seconds, p.loss, p.held_out_dice, p.share] for p in self.curve],
            "blend": self.blend.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        self.step, self.seconds = state["step"], state["seconds"]
        self.checking, self.checked_at = state["checking"], state["checked_at"]
        self.losses = list(state["losses"])
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.curve = [CurvePoint(*row) for row in state["curve"]]
        self.blend.restore(state["blend"])


def resized(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return (B, C, *S) at another size, linearly; the same tensor if it has that size."""
    if tuple(x.shape[2:]) == tuple(size):
        return x
    mode = "bilinear" if x.ndim == 4 else "trilinear"
    return F.interpolate(x, size=tuple(size), mode=mode, align_corners=False)


def _copied(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: tensor.detach().clone() for key, tensor in state.items()}
