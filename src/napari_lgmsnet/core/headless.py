"""Files in, files out, without a window."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inference import iterate
from napari_lgmsnet.core.io import read, write, write_labels
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.paths import split_suffix
from napari_lgmsnet.core.prediction import Prediction, PredictSettings
from napari_lgmsnet.core.types import Progress

NIFTI = (".nii.gz", ".nii")
SUFFIX_OF_MASK = {".png": ".png", ".jpg": ".png", ".jpeg": ".png", ".tif": ".tif", ".tiff": ".tif"}


@dataclass(frozen=True)
class Job:
    """One file to segment, and where its results go."""

    source: Path
    mask: Path
    probability: Path | None
    overwrite: bool


def plan(
    inputs: list[Path], output: Path, *, overwrite: bool = False, probabilities: bool = False
) -> list[Job]:
    """Say which file is written for which, and refuse before anything is computed.

    Parameters
    ----------
    inputs : list of Path
    output : Path
        A file for one input, otherwise a folder.
    overwrite : bool
        Existing files may be replaced.
    probabilities : bool
        Probabilities are written beside the masks.

    Raises
    ------
    InputError
        If an input is missing, an output exists or would be an input, or two inputs would
        write the same file.
    """
    as_file = len(inputs) == 1 and not output.is_dir() and split_suffix(output)[1] != ""
    jobs = []
    for source in inputs:
        if not source.is_file():
            raise InputError(f'there is no file "{source}"')
        stem, suffix = split_suffix(source)
        ending = ".nii.gz" if suffix in NIFTI else SUFFIX_OF_MASK.get(suffix, ".nii.gz")
        mask = output if as_file else output / f"{stem}_mask{ending}"
        stem, ending = split_suffix(mask)
        ending = ".tif" if ending == ".png" else ending  # PNG has no floats
        name = f"{stem.removesuffix('_mask')}_probability{ending}"
        probability = mask.with_name(name) if probabilities else None
        jobs.append(Job(source, mask, probability, overwrite))
    targets = [path for job in jobs for path in (job.mask, job.probability) if path is not None]
    for path in targets:
        if path.resolve() in {source.resolve() for source in inputs}:
            raise InputError(f'"{path}" is an input: choose another output')
        if path.exists() and not overwrite:
            raise InputError(f'"{path}" exists: choose another output, or allow to overwrite')
        if targets.count(path) > 1:
            raise InputError(f'two inputs would both write "{path}": choose different folders')
    for folder in {path.parent for path in targets}:
        folder.mkdir(parents=True, exist_ok=True)
    return jobs


def predict_file(
    model: Model, job: Job, settings: PredictSettings
) -> Generator[Progress, None, Prediction]:
    """Read, predict and write one file.

    Raises
    ------
    LGMSNetError
        If the file cannot be read, predicted on or written.
    """
    prediction = yield from iterate(model, read(job.source), settings)
    write_labels(job.mask, prediction.label_volume(), overwrite=job.overwrite)
    if job.probability is not None:
        foreground = np.asarray(prediction.foreground, dtype=np.float32)
        volume = prediction.volume.with_data(foreground, prediction.volume.spatial_axes)
        write(job.probability, volume, overwrite=job.overwrite)
    return prediction
