"""Files in, files out, without a window: which file is written for which, and one after another."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inference import iterate
from napari_lgmsnet.core.io import MadeBy, dicom, read_levels, write, write_labels
from napari_lgmsnet.core.io.atomic import ending
from napari_lgmsnet.core.io.beside import name_of_mask, name_of_probability
from napari_lgmsnet.core.io.formats import check_fits, check_target, format_of
from napari_lgmsnet.core.levels import choose_level
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.part import Spans, cut_out, placed
from napari_lgmsnet.core.paths import split_suffix
from napari_lgmsnet.core.prediction import Prediction, PredictSettings
from napari_lgmsnet.core.types import Progress, Volume

Level = int | Literal["auto"]

RECORDS = ".napari-lgmsnet"
"""Folder beside the outputs with a record of how each was made."""


@dataclass(frozen=True)
class Job:
    """One file to segment, and where its results go.

    Parameters
    ----------
    source, mask : Path
    probability : Path, optional
    overwrite : bool
        Existing files may be replaced.
    level, frame, series
        As for :func:`plan`.
    record : Path, optional
        Where it is noted how the mask was made. None for a mask whose own name was given: that
        one is made whenever it is asked for.
    box : Spans, optional
        The only part that is segmented, in voxels of the level; the rest is background.
    """

    source: Path
    mask: Path
    probability: Path | None
    overwrite: bool
    level: Level = 0
    frame: int | None = None
    series: str | None = None
    record: Path | None = None
    box: Spans | None = None

    @property
    def targets(self) -> tuple[Path, ...]:
        """Return the files that are written."""
        return (self.mask,) if self.probability is None else (self.mask, self.probability)


@dataclass(frozen=True)
class Input:
    """A file or folder to segment.

    Parameters
    ----------
    path : Path
    place : Path
        Folder below the output folder in which its mask goes.
    """

    path: Path
    place: Path = Path()


def plan(
    inputs: Sequence[Path | Input],
    output: Path,
    *,
    overwrite: bool = False,
    probabilities: bool = False,
    level: Level = 0,
    frame: int | None = None,
    series: str | None = None,
    file_ending: str | None = None,
    box: Spans | None = None,
) -> list[Job]:
    """Say which file is written for which, and refuse before anything is computed.

    Parameters
    ----------
    inputs : sequence of Path or Input
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
    file_ending : str, optional
        Of masks in a folder, such as ``.nii.gz``; without it that of the input or the closest
        to it.
    box : Spans, optional
        The only part that is segmented.

    Raises
    ------
    InputError
        If an input is missing, an output exists that no record tells of, would be an input or
        cannot be written, or two inputs would write the same file.
    """
    found = [one if isinstance(one, Input) else Input(one) for one in inputs]
    as_file = len(found) == 1 and not output.is_dir() and split_suffix(output)[1] != ""
    jobs = []
    for one in found:
        source = one.path
        if not source.is_file():
            format_of(source)  # says that it is not there, or a folder without images
        name = _name_of_mask(source, file_ending)
        mask = output if as_file else output / one.place / name
        check_target(mask, source)
        probability = mask.with_name(name_of_probability(mask)) if probabilities else None
        record = None if as_file else mask.parent / RECORDS / f"{mask.name}.json"
        jobs.append(Job(source, mask, probability, overwrite, level, frame, series, record, box))
    _check_targets(jobs)
    for job in jobs:
        job.mask.parent.mkdir(parents=True, exist_ok=True)
    return jobs


def _check_targets(jobs: list[Job]) -> None:
    sources = {job.source.resolve() for job in jobs}
    seen: set[Path] = set()
    for job in jobs:
        recorded = job.record is not None and job.record.exists()
        for path in job.targets:
            if path.resolve() in sources:
                raise InputError(f'"{path}" is an input: choose another output')
            if path.exists() and not job.overwrite and not recorded:
                raise InputError(f'"{path}" exists: choose another output, or allow to overwrite')
            if path in seen:
                raise InputError(f'two inputs would both write "{path}": choose different folders')
            seen.add(path)


def predict_file(
    model: Model, job: Job, settings: PredictSettings
) -> Generator[Progress, None, Prediction]:
    """Read, predict and write one file.

    Raises
    ------
    LGMSNetError
        If the file cannot be read, predicted on or written.
    """
    volume = read_job(job, model, settings)
    prediction = yield from iterate(model, cut_out(volume, job.box), settings)
    prediction = placed(prediction, volume, job.box)
    write_job(job, prediction)
    return prediction


def read_job(job: Job, model: Model, settings: PredictSettings) -> Volume:
    """Read the level and the frame that are asked for; large files are left on disk.

    Raises
    ------
    LGMSNetError
        If the file cannot be read, or its mask could not be written.
    """
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
    volume = volume if job.frame is None else volume.frame(job.frame)
    check_fits(job.mask, volume)
    return volume


def write_job(job: Job, prediction: Prediction) -> None:
    """Write what a job asks for.

    Raises
    ------
    LGMSNetError
        If it cannot be written.
    """
    write_labels(
        job.mask,
        prediction.label_volume(),
        overwrite=job.overwrite,
        classes=prediction.info.classes,
        made_by=MadeBy(prediction.info.name),
    )
    if job.probability is not None:
        write(job.probability, prediction.foreground_volume(), overwrite=job.overwrite)


def _name_of_mask(source: Path, file_ending: str | None) -> str:
    if source.is_dir() and dicom.holds_dicom(source):
        # A dot in a folder's name begins no ending.
        return f"{source.resolve().name}_mask{file_ending or '.nii.gz'}"
    name = name_of_mask(source, ".nii.gz")
    if file_ending is None:
        return name
    stem = name[: len(name) - len(ending(Path(name)))].removesuffix(".ome")
    return f"{stem}{file_ending}"
