"""Learning in one call: fine-tune on a few images, or train from the beginning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_lgmsnet.core import progress
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.types import Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_lgmsnet.core.finetune import Example, FineTuneResult
    from napari_lgmsnet.core.training.config import TrainingConfig
    from napari_lgmsnet.core.training.trainer import TrainingResult

    Pair = tuple["NDArray[Any] | Volume", "NDArray[Any]"]


def finetune(
    model: Model,
    data: str | Path | Sequence[Example | Pair],
    *,
    foreground_above: int | None = None,
    **settings: Any,
) -> FineTuneResult:
    """Learn from a few corrected images, and say whether that made the network better.

    Parameters
    ----------
    model : Model
        It is not changed.
    data : str, Path or sequence
        A folder with ``images`` and ``masks``; or pairs of an image (array or Volume) and a mask
        (class numbers, of the same shape without channels); or
        :class:`~napari_lgmsnet.core.finetune.Example`.
    foreground_above : int, optional
        127 for masks in a folder that are stored as 0 and 255.
    **settings
        As for :class:`~napari_lgmsnet.core.finetune.FineTuneSettings`.

    Returns
    -------
    FineTuneResult
        ``verdict.better`` says whether held-out images got better, ``candidate`` is the new
        :class:`Model`, and ``scores`` has the figures before and after.

    Raises
    ------
    InputError, TrainingError
        If images or settings cannot be used.
    """
    from napari_lgmsnet.core.finetune import examples_from_folder, fine_tune, make_settings

    wanted = make_settings(**settings)
    if isinstance(data, str | Path):
        job = examples_from_folder(data, foreground_above=foreground_above)
        examples = progress.run(job)
    else:
        examples = [_example(model, number, one) for number, one in enumerate(data, start=1)]
    return progress.run(fine_tune(model, examples, wanted))


def train(
    config: str | Path | TrainingConfig,
    data: str | Path,
    run: str | Path,
    *,
    device: str = "auto",
    parent: Model | None = None,
    teacher: str | Path | None = None,
) -> TrainingResult:
    """Train a network; the same call goes on after an interruption.

    Parameters
    ----------
    config : str, Path or TrainingConfig
        A TOML file, or what it says.
    data, run, device, parent, teacher
        As for :func:`~napari_lgmsnet.core.training.trainer.train`.

    Returns
    -------
    TrainingResult
        The best checkpoint and its Dice and IoU on the validation cases.

    Raises
    ------
    TrainingError
        If configuration, data or teacher cannot be used.
    """
    from napari_lgmsnet.core.training.config import read_training_config
    from napari_lgmsnet.core.training.trainer import train as start

    wanted = read_training_config(config) if isinstance(config, str | Path) else config
    job = start(wanted, data, run, device=device, parent=parent, teacher=teacher)
    return progress.run(job)


def _example(model: Model, number: int, one: Example | Pair) -> Example:
    import numpy as np

    from napari_lgmsnet.core.arrays import volume_from_array
    from napari_lgmsnet.core.finetune import Example

    if isinstance(one, Example):
        return one
    image, mask = one
    if not isinstance(image, Volume):
        image = volume_from_array(np.asarray(image), model.info)
    return Example(f"image {number}", image, np.asarray(mask))
