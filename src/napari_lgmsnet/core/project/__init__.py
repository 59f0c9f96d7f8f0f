"""Projects: cases, corrections, checkpoints and runs, kept in a folder so that nothing is lost.

>>> from napari_lgmsnet.core.project import Autosaver, Edit, Project
>>> with Project.create(folder) as project:  # doctest: +SKIP
...     added = run(project.add([images]))
...     case = added.cases[0]
...     run(project.labels.store(case.id, prediction=mask, checkpoint=sha256))
...     saver = Autosaver(project)
...     saver.edit(case.id, Edit(where, new=1, old=old, strokes=1))
...     saver.close()
...     project.cases.set_state(case.id, "accepted")

Loads no torch. docs/project-format.md says what is in the folder.
"""

from napari_lgmsnet.core.project.adding import Added
from napari_lgmsnet.core.project.autosave import Autosaver, SaveState
from napari_lgmsnet.core.project.cases import Case, Cases
from napari_lgmsnet.core.project.checkpoint_rows import Checkpoint
from napari_lgmsnet.core.project.edits import Edit
from napari_lgmsnet.core.project.export import Exported, export_cases
from napari_lgmsnet.core.project.labels import LabelStore
from napari_lgmsnet.core.project.ledger import LedgerRow, write_ledger
from napari_lgmsnet.core.project.library import library
from napari_lgmsnet.core.project.lineage import Checkpoints
from napari_lgmsnet.core.project.lock import Holder
from napari_lgmsnet.core.project.masks import CaseMask
from napari_lgmsnet.core.project.runs import Run, Runs
from napari_lgmsnet.core.project.sources import Source
from napari_lgmsnet.core.project.states import FOLLOWERS, State
from napari_lgmsnet.core.project.store import Project
from napari_lgmsnet.core.project.verify import Problem, verify

__all__ = [
    "FOLLOWERS",
    "Added",
    "Autosaver",
    "Case",
    "CaseMask",
    "Cases",
    "Checkpoint",
    "Checkpoints",
    "Edit",
    "Exported",
    "Holder",
    "LabelStore",
    "LedgerRow",
    "Problem",
    "Project",
    "Run",
    "Runs",
    "SaveState",
    "Source",
    "State",
    "export_cases",
    "library",
    "verify",
    "write_ledger",
]
