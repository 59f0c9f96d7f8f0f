"""The main job on the bundled samples, without a window: segment, compare with the reference."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_lgmsnet.core import progress
from napari_lgmsnet.core.checkpoints import load
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inference import iterate
from napari_lgmsnet.core.io import read, read_labels, write_labels
from napari_lgmsnet.core.io.beside import name_of_mask
from napari_lgmsnet.core.prediction import PredictSettings
from napari_lgmsnet.core.resources import resource_folder
from napari_lgmsnet.core.samples import listed, score
from napari_lgmsnet.core.types import Progress


@dataclass(frozen=True)
class Shown:
    """One sample, segmented.

    Parameters
    ----------
    sample, checkpoint : str
    dice : dict of str to float
        By class.
    seconds : float
        Taken by the network.
    mask : str
        The mask's file; empty if none was written.
    """

    sample: str
    checkpoint: str
    dice: dict[str, float]
    seconds: float
    mask: str


def demonstrate(
    names: Sequence[str] = (),
    output: Path | None = None,
    *,
    device: str = "auto",
    overwrite: bool = False,
) -> Generator[Progress, None, list[Shown]]:
    """Segment bundled samples and compare them with their references.

    Parameters
    ----------
    names : sequence of str
        All samples without them.
    output : Path, optional
        Folder for the masks (made if it is missing).
    device : str
    overwrite : bool

    Raises
    ------
    InputError
        If there is no sample of a name, or a mask exists.
    """
    samples = listed()
    for name in names:
        if name not in samples:
            raise InputError(f'no sample is called "{name}": choose one of {", ".join(samples)}')
    samples = {name: samples[name] for name in names or samples}
    folder, shown = resource_folder("sample_data"), []
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
    for done, (name, sample) in enumerate(samples.items()):
        here = Progress(done, len(samples), name)
        yield here
        model, image = load(sample["checkpoint"]), read(folder / sample["image"])
        work = iterate(model, image, PredictSettings(device=device))
        prediction = yield from progress.within(work, here)
        reference = read_labels(folder / sample["reference"]).data
        dice = score(sample, prediction.labels, reference, model.info)
        mask = None if output is None else output / name_of_mask(Path(sample["image"]), ".nii.gz")
        if mask is not None:
            volume, classes = prediction.label_volume(), model.info.classes
            write_labels(mask, volume, overwrite=overwrite, classes=classes)
        shown.append(
            Shown(
                name, model.info.name, dice, prediction.seconds, "" if mask is None else str(mask)
            )
        )
    return shown
