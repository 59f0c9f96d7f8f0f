"""What the gate decides on, gathered: overlaps, a constant mask, a test against exchanged masks."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch

from napari_lgmsnet.core.finetune import evidence
from napari_lgmsnet.core.finetune.compare import Comparison
from napari_lgmsnet.core.finetune.gate import constant_dice, judge
from napari_lgmsnet.core.finetune.network import names_of
from napari_lgmsnet.core.finetune.pieces import Piece
from napari_lgmsnet.core.finetune.result import Verdict
from napari_lgmsnet.core.finetune.scoring import mean_dice, overlaps, region
from napari_lgmsnet.core.finetune.settings import FineTuneSettings
from napari_lgmsnet.core.finetune.split import Split
from napari_lgmsnet.core.info import ModelInfo
from napari_lgmsnet.core.network import LGMSNet
from napari_lgmsnet.core.types import Progress


def weigh(
    comparison: Comparison,
    parent: LGMSNet,
    info: ModelInfo,
    settings: FineTuneSettings,
    pieces: Sequence[Piece],
    seen: Sequence[Piece],
    split: Split,
    device: torch.device,
) -> Generator[Progress, None, Verdict]:
    """Return the gate's verdict.

    Parameters
    ----------
    comparison : Comparison
        Of the held-out parts.
    parent : LGMSNet
        What the candidate came from.
    info : ModelInfo
        The candidate's.
    settings : FineTuneSettings
    pieces : sequence of Piece
    seen : sequence of Piece
        The same cases as the parent's own input shows them: at another size its features are
        poor witnesses.
    split : Split
    device : torch.device
    """
    foreground = []
    for part, change in zip(split.held_out, comparison.changes, strict=True):
        piece = pieces[part.piece]
        counts = region(piece, part.box)
        foreground.append(overlaps(change.after > 0, piece.labels > 0, counts, 2))
    constant = chance = None
    cases = len({piece.case for piece in seen})
    if split.kind == "cases":
        shown = [seen[number] for number in evidence.one_of_each_case(seen)]
        held = set(split.cases(pieces, held_out=True))
        masks = {piece.case: evidence.coarse_mask(piece) for piece in shown}
        constant = constant_dice(
            [mask for case, mask in masks.items() if case not in held],
            [mask for case, mask in masks.items() if case in held],
        )
        if cases >= evidence.FEWEST:
            maps = yield from evidence.read_outs(parent, shown, device)
            chance = evidence.chance(evidence.resemblance(maps, shown))
    return judge(
        comparison,
        names_of(info),
        settings,
        foreground_dice=mean_dice(foreground),
        constant_dice=constant,
        chance=chance,
        cases=cases,
    )
