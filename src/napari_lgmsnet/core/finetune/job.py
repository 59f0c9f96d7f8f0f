"""Fine-tuning from examples to a verdict and a candidate."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from napari_lgmsnet.core.device import choose_device
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.finetune.candidate import candidate_info, describe_metrics
from napari_lgmsnet.core.finetune.compare import Mask, compare, masks_of
from napari_lgmsnet.core.finetune.control import Control, TuneProgress
from napari_lgmsnet.core.finetune.examples import Example
from napari_lgmsnet.core.finetune.network import (
    child_info,
    child_network,
    class_map,
    flipped_as_taught,
    names_of,
)
from napari_lgmsnet.core.finetune.pieces import Piece, prepare_pieces
from napari_lgmsnet.core.finetune.plan import large_enough, make_plan, smaller_size, way
from napari_lgmsnet.core.finetune.references import References, as_examples, forgetting
from napari_lgmsnet.core.finetune.result import FineTuneResult, Verdict
from napari_lgmsnet.core.finetune.sampling import Sample, Sampler, variation
from napari_lgmsnet.core.finetune.scoring import (
    Overlaps,
    dice_of,
    mean_dice,
    network_answers,
    overlaps,
    region,
    renamed,
    score_parts,
)
from napari_lgmsnet.core.finetune.settings import FineTuneSettings, Plan
from napari_lgmsnet.core.finetune.split import split
from napari_lgmsnet.core.finetune.state import RunState, identity
from napari_lgmsnet.core.finetune.tuner import Tuner
from napari_lgmsnet.core.finetune.weigh import weigh
from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.metrics import iou_from_dice
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.network import LGMSNet
from napari_lgmsnet.core.types import Progress, Volume

T = TypeVar("T")

_SAME = 0.995
_REPLAYED = 0.25
_CHECKED = 12
"""At most so many held-out parts are asked for while training."""


def fine_tune(
    model: Model,
    examples: Sequence[Example],
    settings: FineTuneSettings | None = None,
    *,
    references: Sequence[Example | Volume] = (),
    control: Control | None = None,
    run_folder: Path | None = None,
) -> Generator[TuneProgress, None, FineTuneResult]:
    """Learn from corrected images, and say whether that made the network better.

    Parameters
    ----------
    model : Model
        The parent; it is not changed.
    examples : sequence of Example
        One is enough.
    settings : FineTuneSettings, optional
    references : sequence of Example or Volume
        Images of what the network could do before, to measure what it forgets; with the guard
        "replay" every other one is trained on with the parent's own answers, the rest is
        measured. Of a bare Volume the parent's answer is the reference.
    control : Control, optional
        To pause, stop or cancel from another thread.
    run_folder : Path, optional
        Where the state is kept, so that a run that was killed goes on where its last check on
        held-out cases was. It is empty again when the run has ended.

    Yields
    ------
    TuneProgress
        One a training step, a window, a case.

    Returns
    -------
    FineTuneResult

    Raises
    ------
    InputError, TrainingError
        If examples or settings cannot be used; the message says which.
    Cancelled
        If ``control`` cancelled the run.
    """
    settings, control = settings or FineTuneSettings(), control or Control()
    info = child_info(model.info, settings)
    state = RunState(run_folder, identity(model.sha256, settings, examples, references))
    # Before anything may be dropped: it may be another run's.
    stored = state.read()
    job = _Job(model, info, list(examples), settings, references, control, state, stored)
    try:
        result = yield from job.run()
    except BaseException:
        # Closed, cancelled or failed: only a kill, which gets nowhere near here, is resumed.
        state.drop()
        raise
    state.drop()
    return result


@dataclass
class _Job:
    model: Model
    info: ModelInfo
    examples: list[Example]
    settings: FineTuneSettings
    references: Sequence[Example | Volume]
    control: Control
    state: RunState
    stored: dict[str, Any] | None

    def run(self) -> Generator[TuneProgress, None, FineTuneResult]:
        """Prepare, train, compare."""
        self.device = choose_device(self.settings.device)
        self.pieces = yield from self._shown(prepare_pieces(self.examples, self.info), "prepare")
        if not any(piece.shows_class for piece in self.pieces):
            return self._nothing("no mask shows a class: there is nothing to learn")
        seen = self.pieces
        before = yield from self._before()
        tables = self._tables(before)
        if all(np.nanmin(dice_of(one), initial=1.0) >= _SAME for one in tables.values()):
            return self._nothing("the masks are the network's own answers: nothing was corrected")
        iou = _mean_iou(tables)
        labelled = float(np.mean([piece.known.mean() for piece in self.pieces]))
        adapt = way(self.settings, iou, labelled)
        if adapt == "anew":
            self.info = flipped_as_taught(self.info, self.settings)
            if self.settings.size is None:
                yield from self._shrink()
        scores = {case: mean_dice([table]) for case, table in tables.items()}
        self.split = split(
            self.pieces, self.examples, self.settings.held_out, self.settings.seed, scores
        )
        references = yield from self._shown(
            as_examples(self.references, self.model, self.settings.device), "prepare"
        )
        samples = self._samples()
        plan = make_plan(
            self.settings,
            adapt,
            iou,
            same_classes=names_of(self.info) == names_of(self.model.info),
            references=len(references.examples),
            samples=len(samples),
            parent=self.model.info.recipe,
        )
        replayed = yield from self._replayed(references, plan)
        tuner = yield from self._train(plan, samples, replayed, before)
        return (yield from self._judged(plan, tuner, before, seen, references))

    def _before(self) -> Generator[TuneProgress, None, dict[int, Mask]]:
        """Return the parent's answers on all pieces, in the labels' classes."""
        mapping = class_map(self.model.info, self.info)
        ask = masks_of(self.model, self.settings.device, lambda mask: renamed(mask, mapping))
        answers = {}
        for number, piece in enumerate(self.pieces):
            step = Progress(number, len(self.pieces), f"before training: {piece.name}")
            answers[number] = yield from self._shown(ask(piece), "prepare", step)
        return answers

    def _shrink(self) -> Generator[TuneProgress, None, None]:
        """Go over to smaller inputs, unless objects would be too small in them."""
        size = smaller_size(self.info.recipe)
        if size is None:
            return
        settings = self.settings.model_copy(update={"size": size})
        info = flipped_as_taught(child_info(self.model.info, settings), settings)
        pieces = yield from self._shown(prepare_pieces(self.examples, info), "prepare")
        if large_enough([int((piece.target > 1).sum()) for piece in pieces]):
            self.info, self.pieces = info, pieces

    def _tables(self, before: Mapping[int, Mask]) -> dict[int, Overlaps]:
        tables: dict[int, Overlaps] = {}
        for number, piece in enumerate(self.pieces):
            one = overlaps(before[number], piece.labels, piece.known, len(self.info.classes))
            tables[piece.case] = tables.get(piece.case, 0.0) + one
        return tables

    def _samples(self) -> list[Sample]:
        """Return what is trained on; of slices without foreground no more than with it."""
        full: list[Sample] = []
        empty: list[Sample] = []
        for part in self.split.train:
            piece = self.pieces[part.piece]
            box = (slice(None), *part.box)
            sample = (piece.image[box], piece.target[box])
            (full if (sample[1] > 1).any() else empty).append(sample)
        if not full:
            raise InputError(
                "what is left to train on shows no class, only background: correct more images, "
                "or choose which ones to hold out"
            )
        order = np.random.default_rng(self.settings.seed).permutation(len(empty))
        return full + [empty[int(n)] for n in sorted(order[: max(1, len(full))])]

    def _replayed(
        self, references: References, plan: Plan
    ) -> Generator[TuneProgress, None, list[Sample]]:
        if plan.guard != "replay":
            return []
        chosen = references.for_replay()
        pieces = yield from self._shown(prepare_pieces(chosen, self.info), "prepare")
        return [(piece.image, piece.target) for piece in pieces]

    def _train(
        self,
        plan: Plan,
        samples: list[Sample],
        replayed: list[Sample],
        before: Mapping[int, Mask],
    ) -> Generator[TuneProgress, None, Tuner]:
        network = child_network(self.model, self.info, self.settings.seed)
        start = {key: tensor.detach().clone() for key, tensor in network.state_dict().items()}
        augmentation = variation(plan.augmentation, self.model.info, plan.adapt)
        sampler = Sampler(
            samples, replayed, self.info.recipe.window, augmentation, plan.batch_size,
            _REPLAYED, self.settings.seed,
        )  # fmt: skip
        parts = self.split.held_out[:: -(-len(self.split.held_out) // _CHECKED)]
        classes = len(self.info.classes)

        def score(one: LGMSNet) -> Generator[TuneProgress, None, float]:
            answers = network_answers(one, self.info.recipe, self.device)
            job = score_parts(answers, self.pieces, parts, classes)
            return mean_dice(list((yield from self._shown(job, "train")).values()))

        tables: dict[int, Overlaps] = {}
        for part in parts:
            piece = self.pieces[part.piece]
            counts = region(piece, part.box)
            table = overlaps(before[part.piece], piece.labels, counts, classes)
            tables[piece.case] = tables.get(piece.case, 0.0) + table
        start_dice = mean_dice(list(tables.values()))
        tuner = Tuner(
            network, start, plan, self.settings, sampler, score, start_dice, len(tables),
            self.device, self.control,
        )  # fmt: skip
        if self.stored is not None:
            tuner.restore(self.stored)
        yield from tuner.run(lambda: self.state.write(tuner.state()))
        return tuner

    def _judged(
        self,
        plan: Plan,
        tuner: Tuner,
        before: Mapping[int, Mask],
        seen: Sequence[Piece],
        references: References,
    ) -> Generator[TuneProgress, None, FineTuneResult]:
        if not tuner.step:
            return self._nothing("it was stopped before the first step")
        network = tuner.network
        network.load_state_dict(tuner.blend.weights)
        candidate = Model(network.cpu(), self.info)
        names = [example.name for example in self.examples]
        comparison = yield from self._shown(
            compare(
                before,
                masks_of(candidate, self.settings.device, lambda mask: mask),
                (self.model, candidate),
                self.pieces,
                self.split.held_out,
                names,
                names_of(self.info),
                self.settings.device,
            ),
            "compare",
        )
        verdict = yield from self._shown(
            weigh(
                comparison, self.model.network, self.info, self.settings, self.pieces, seen,
                self.split, self.device,
            ),
            "compare",
        )  # fmt: skip
        forgotten = None
        if references.measured and names_of(self.info) == names_of(self.model.info):
            job = forgetting(
                references.for_measuring(plan.guard), references.against, self.model, candidate,
                self.settings.device,
            )  # fmt: skip
            forgotten = yield from self._shown(job, "compare")
        trained_on, held_out = (self._hashes(held) for held in (False, True))
        result = FineTuneResult(
            verdict=verdict,
            candidate=None,
            plan=plan,
            settings=self.settings,
            held_out=self.split.words,
            scores=comparison.scores,
            changes=comparison.changes,
            curve=tuple(tuner.curve),
            forgetting=forgotten,
            trained_on=trained_on,
            held_out_cases=held_out,
            steps=tuner.step,
            seconds=tuner.seconds,
            images_per_second=tuner.step * tuner.sampler.batch_size / max(tuner.seconds, 1e-9),
            share=tuner.blend.share,
            stopped=self.control.stopped,
            metrics=describe_metrics(verdict, comparison.scores, forgotten),
        )
        described = candidate_info(self.model, self.info, result, self.examples, self._cases())
        return replace(result, candidate=Model(network, described))

    def _hashes(self, held_out: bool) -> tuple[str, ...]:
        cases = self.split.cases(self.pieces, held_out)
        return tuple(self.examples[case].sha256 for case in cases)

    def _cases(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return self.split.cases(self.pieces, False), self.split.cases(self.pieces, True)

    def _nothing(self, reason: str) -> FineTuneResult:
        return FineTuneResult(Verdict(False, reason), None, None, self.settings)

    def _shown(
        self, job: Generator[Progress, None, T], phase: str, step: Progress | None = None
    ) -> Generator[TuneProgress, None, T]:
        """Run a part of the job; its steps get the phase, and can be cancelled or paused."""
        while True:
            try:
                part = next(job)
            except StopIteration as stop:
                value: T = stop.value
                return value
            self.control.check()
            here = part if step is None else replace(step, message=f"{step.message}")
            yield TuneProgress(here.step, here.total, here.message, phase)


def _mean_iou(tables: Mapping[int, Overlaps]) -> float:
    """Return mean IoU over cases and classes that a mask shows."""
    found = []
    for table in tables.values():
        shown = table[:, 2] > 0
        found += list(iou_from_dice(dice_of(table)[shown]))
    return float(np.mean(found)) if found else 0.0
