"""How good a checkpoint, or masks made elsewhere, are against references."""

from napari_lgmsnet.core.evaluation.evaluate import Evaluation, evaluate, evaluate_pairs
from napari_lgmsnet.core.evaluation.pairs import Pair, pairs_in, pairs_of_masks
from napari_lgmsnet.core.evaluation.scores import CaseScore
from napari_lgmsnet.core.evaluation.summary import Summary

__all__ = [
    "CaseScore",
    "Evaluation",
    "Pair",
    "Summary",
    "evaluate",
    "evaluate_pairs",
    "pairs_in",
    "pairs_of_masks",
]
