"""What is done with projects in the background. What reads files is loaded in the jobs."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_lgmsnet.adapters.jobs import Loaded, load
from napari_lgmsnet.adapters.settings import preferences
from napari_lgmsnet.core.errors import FileFormatError, ProjectError
from napari_lgmsnet.core.types import Progress, Volume

if TYPE_CHECKING:
    from napari_lgmsnet.core.info import ClassInfo
    from napari_lgmsnet.core.project import (
        Added,
        Autosaver,
        Case,
        CaseMask,
        Exported,
        Problem,
        Project,
    )

_NETWORK = threading.Lock()
"""A network runs for one case at a time, also where one that was stopped is still on its way."""
_PATIENCE = 0.05  # seconds


class ImageMissing(FileFormatError):
    """The image of a case is not where it was; a person may know where it is.

    Parameters
    ----------
    case : Case
    message : str
    """

    def __init__(self, case: Case, message: str) -> None:
        super().__init__(message)
        self.case = case


@dataclass(frozen=True)
class OpenedCase:
    """A case, ready to be shown.

    Parameters
    ----------
    case : Case
    levels : tuple of Volume
        Of its image, the finest first; maybe lazy.
    mask : CaseMask
        On the grid of the finest level.
    """

    case: Case
    levels: tuple[Volume, ...]
    mask: CaseMask

    @property
    def classes(self) -> tuple[ClassInfo, ...]:
        """Return the classes that the mask was predicted with; none without a prediction."""
        from napari_lgmsnet.core.info import ClassInfo

        stored = self.mask.settings.get("classes", ())
        return tuple(ClassInfo.model_validate(one) for one in stored)


@dataclass(frozen=True)
class Predicted:
    """A case that was predicted.

    Parameters
    ----------
    case_id : int
    mask : CaseMask
        As it is now, with what a person did before.
    loaded : Loaded
        The checkpoint.
    classes : tuple of ClassInfo
    description : str
        How it was made.
    seconds : float
    """

    case_id: int
    mask: CaseMask
    loaded: Loaded
    classes: tuple[ClassInfo, ...]
    description: str
    seconds: float


@dataclass(frozen=True)
class Wanted:
    """What a case is predicted with.

    Parameters
    ----------
    reference : str
        A checkpoint's file, or the name of one that ships.
    settings : mapping
        As for :class:`~napari_lgmsnet.core.prediction.PredictSettings`.
    loaded : Loaded, optional
        Used instead of reading the checkpoint again.
    """

    reference: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    loaded: Loaded | None = None

    @classmethod
    def preferred(cls, reference: str) -> Wanted:
        """Return a checkpoint with the settings that a person chose in Preferences."""
        chosen = preferences()
        settings: dict[str, Any] = {
            "device": chosen.device,
            "engine": chosen.engine,
            "flips": chosen.flips,
            "threshold": chosen.threshold,
        }
        if chosen.overlap >= 0:
            settings["overlap"] = chosen.overlap
        return cls(reference, settings)

    def with_loaded(self, loaded: Loaded | None) -> Wanted:
        """Return the same with a checkpoint in memory, if it is this one."""
        same = loaded is not None and loaded.reference == self.reference
        return replace(self, loaded=loaded) if same else self


def open_project(folder: Path, *, create: bool) -> Generator[Progress, None, Project]:
    """Open a project, or make a new one."""
    yield Progress(0, 0, "making the project" if create else "opening the project")
    from napari_lgmsnet.core.project import Project

    return Project.create(folder) if create else Project.open(folder)


def add_images(project: Project, images: Iterable[Path]) -> Generator[Progress, None, Added]:
    """Add images, or folders of them."""
    yield Progress(0, 0, "looking for images")
    return (yield from project.add(images))


def read_case(
    project: Project, saver: Autosaver | None, case_id: int
) -> Generator[Progress, None, OpenedCase]:
    """Read a case's image and its mask, which is made if there is none.

    Raises
    ------
    ImageMissing
        If the image is not there, or is another one now.
    LGMSNetError
        If image or mask cannot be read.
    """
    from napari_lgmsnet.core.io import read_levels

    case = project.cases.get(case_id)
    yield Progress(0, 0, f"opening {case.name}")
    presence = project.cases.presence(case)
    if presence == "missing":
        raise ImageMissing(
            case,
            f'The image of "{case.name}" is not at "{case.source.path}" any more. Say in which '
            "folder it is now: it is recognised by its content.",
        )
    if presence == "changed":
        raise ImageMissing(
            case,
            f'"{case.source.path}" is not the image that was added as "{case.name}": it was '
            "changed or replaced. Say in which folder the original is.",
        )
    levels = read_levels(case.source.path, lazy="auto", series=case.source.series_uid or None)
    yield Progress(0, 0, f"reading the mask of {case.name}")
    shape = shape_of_mask(levels[0])
    mask = project.labels.read(case_id) if saver is None else saver.read(case_id)
    if mask is None:
        mask = yield from _make_mask(project, case_id, shape)
    if mask.labels.shape != shape:
        raise ProjectError(
            f'the mask of "{case.name}" has shape {mask.labels.shape}, its image {shape}: put back '
            "a copy of the project, or remove the case and add it again"
        )
    return OpenedCase(project.cases.get(case_id), levels, mask)


def shape_of_mask(image: Volume) -> tuple[int, ...]:
    """Return the shape of a mask on an image: channels are left out."""
    shape = image.data.shape[:-1] if image.has_channels else image.data.shape
    return tuple(int(size) for size in shape)


def predict(
    project: Project, saver: Autosaver, case_id: int, wanted: Wanted
) -> Generator[Progress, None, Predicted]:
    """Predict a case, and keep the answer.

    Raises
    ------
    LGMSNetError
        If checkpoint or image cannot be used, or nothing can be stored.
    """
    while not _NETWORK.acquire(timeout=_PATIENCE):
        yield Progress(0, 0, "waiting for the network")
    try:
        loaded = wanted.loaded
        if loaded is None or not loaded.fresh or loaded.reference != wanted.reference:
            loaded = yield from load(wanted.reference)
        from napari_lgmsnet.core import device
        from napari_lgmsnet.core.prediction import make_settings
        from napari_lgmsnet.core.project.predicting import predict_case

        device.set_thread_budget(spare=1)
        settings = make_settings(**wanted.settings)
        prediction = yield from predict_case(project, case_id, loaded.model, settings)
    finally:
        _NETWORK.release()
    mask = saver.read(case_id)
    assert mask is not None
    classes, words = prediction.info.classes, prediction.describe()
    return Predicted(case_id, mask, loaded, classes, words, prediction.seconds)


def hash_image(project: Project, case_id: int) -> Generator[Progress, None, None]:
    """Compute the SHA-256 of a case's image, by which it is found again."""
    yield from project.cases.hash(project.cases.get(case_id))


def export(
    project: Project, saver: Autosaver | None, folder: Path
) -> Generator[Progress, None, Exported]:
    """Write the accepted cases as training reads them."""
    yield Progress(0, 0, "exporting")
    from napari_lgmsnet.core.project import export_cases

    if saver is not None:
        saver.flush()
    return (yield from export_cases(project, folder))


def relocate(project: Project, case_id: int, folder: Path) -> Generator[Progress, None, int]:
    """Look in a folder for a case's image, and for all others that are missing.

    Returns
    -------
    int
        How many were found.

    Raises
    ------
    ImageMissing
        If the case's own was not.
    """
    yield Progress(0, 0, "looking for missing images")
    cases = [project.cases.get(case_id)]
    cases += [one for one in project.cases.all() if one.id != case_id and not one.source.exists()]
    found = yield from project.relocate([case.id for case in cases], folder)
    if case_id not in found:
        raise ImageMissing(
            cases[0],
            f'The image of "{cases[0].name}" is not in "{folder}", nor in the folders inside. '
            "Images are recognised by their content: one that was changed is another one.",
        )
    return len(found)


def check(project: Project, saver: Autosaver | None) -> Generator[Progress, None, list[Problem]]:
    """Check every row and file of a project; nothing is changed."""
    yield Progress(0, 0, "checking the project")
    from napari_lgmsnet.core.project import verify

    if saver is not None:
        saver.flush()
    return (yield from verify(project))


def _make_mask(
    project: Project, case_id: int, shape: tuple[int, ...]
) -> Generator[Progress, None, CaseMask]:
    """Return an empty mask, stored where that is possible, so that edits can follow."""
    import numpy as np

    from napari_lgmsnet.core.project import CaseMask

    if not project.read_only:
        yield from project.labels.store(case_id, labels=np.zeros(shape, np.uint8))
    return CaseMask(np.zeros(shape, np.uint8), None, np.zeros(shape, bool), np.zeros(shape, bool))
