"""Files in, files out, without a window."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inference import iterate
from napari_lgmsnet.core.io import MadeBy, dicom, read_levels, write, write_labels
from napari_lgmsnet.core.io.beside import name_of_mask, name_of_probability
from napari_lgmsnet.core.io.formats import check_fits, check_target, format_of
from napari_lgmsnet.core.levels import choose_level
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.paths import split_suffix
from napari_lgmsnet.core.prediction import Prediction, PredictSettings
from napari_lgmsnet.core.types import Progress, Volume

Level = int | Literal["auto"]


@dataclass(frozen=True)
class Job:
    """One file to segment, and where its results go."""

    source: Path
    mask: Path
    probability: Path | None
    overwrite: bool
    level: Level = 0
    frame: int | None = None
    series: str | None = None


def plan(
    inputs: list[Path],
    output: Path,
    *,
    overwrite: bool = False,
    probabilities: bool = False,
    level: Level = 0,
    frame: int | None = None,
    series: str | None = None,
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
    level : int or "auto"
        Of pyramids: 0 is the finest; "auto" the one that suits the recipe. The mask is as fine as
        the level.
    frame : int, optional
        Of time series: the only one to segment, from 0; all of them without.
    series : str, optional
        Of DICOM folders: the one to segment, by its number.

    Raises
    ------
    InputError
        If an input is missing, an output exists, would be an input or cannot be written, or two
        inputs would write the same file.
    """
    as_file = len(inputs) == 1 and not output.is_dir() and split_suffix(output)[1] != ""
    jobs = []
    for source in inputs:
        if not source.is_file():
            format_of(source)  # says that it is not there, or a folder without images
        mask = output if as_file else output / _name_of_mask(source)
        check_target(mask, source)
        probability = mask.with_name(name_of_probability(mask)) if probabilities else None
        jobs.append(Job(source, mask, probability, overwrite, level, frame, series))
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
    volume = _read(job, model, settings)
    check_fits(job.mask, volume)
    prediction = yield from iterate(model, volume, settings)
    write_labels(
        job.mask,
        prediction.label_volume(),
        overwrite=job.overwrite,
        classes=prediction.info.classes,
        made_by=MadeBy(prediction.info.name),
    )
    if job.probability is not None:
        write(job.probability, prediction.foreground_volume(), overwrite=job.overwrite)
    return prediction


def _read(job: Job, model: Model, settings: PredictSettings) -> Volume:
    """Read the level and the frame that are asked for; large files are left on disk."""
    levels = read_levels(job.source, lazy="auto", series=job.series)
    level = job.level
    if level == "auto":
        finest, shapes = levels[0], [one.spatial_shape for one in levels]
        level = choose_level(
            shapes, finest.affine, finest.units, model.info.recipe, native=settings.native
        )
    if not 0 <= level < len(levels):
        raise InputError(
            f'there is no level {level + 1}: "{job.source}" has {len(levels)}. Choose another'
        )
    volume = levels[level]
    return volume if job.frame is None else volume.frame(job.frame)


def _name_of_mask(source: Path) -> str:
    if source.is_dir() and dicom.holds_dicom(source):
        return f"{source.resolve().name}_mask.nii.gz"  # a dot in a folder's name begins no ending
    return name_of_mask(source, ".nii.gz")
