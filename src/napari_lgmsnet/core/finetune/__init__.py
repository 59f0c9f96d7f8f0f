"""Learn from a few corrections, and prove that it helped.

>>> from napari_lgmsnet.core.finetune import Control, FineTuneSettings, fine_tune
>>> control = Control()  # pause(), resume(), stop() and cancel() from any thread
>>> job = fine_tune(model, examples, FineTuneSettings(seconds=60), control=control)
>>> while True:  # doctest: +SKIP
...     step = next(job)  # a TuneProgress: loss, images_per_second, seconds_left, held_out_dice
>>> result = progress.run(job)  # doctest: +SKIP
>>> result.verdict.better, result.verdict.reason, result.candidate  # doctest: +SKIP

``examples`` come from :func:`examples_from_project`, :func:`examples_from_folder` (generators of
progress) or :func:`example_from_arrays` (layers). :func:`fine_tune_project` does it all in a
project: it reads the accepted cases, notes the run, keeps it resumable and adds the candidate to
the project's checkpoints. :func:`fine_tune_apart` does the same as :func:`fine_tune` in a process
of its own, for windows. :func:`save_candidate` writes a candidate to a file.

Closing the generator, or ``control.cancel()`` (which raises ``Cancelled`` in the job), discards
everything. ``control.stop()`` ends training, keeps what was best so far and compares it.

A :class:`FineTuneResult` holds the verdict of the gate, a row of figures for each held-out case and
class, the change of each held-out mask, the curve, what was forgotten on reference images, and the
candidate, a :class:`~napari_lgmsnet.core.model.Model` whose description names its parent, its
cases and its metrics. The parent model is never changed.

The names are loaded when first used: a window needs the controls at once, and must not wait for
torch.
"""

from typing import TYPE_CHECKING

from napari_lgmsnet.core.lazily import loader

if TYPE_CHECKING:
    from napari_lgmsnet.core.finetune.apart import fine_tune_apart
    from napari_lgmsnet.core.finetune.control import Control, TuneProgress
    from napari_lgmsnet.core.finetune.examples import (
        Example,
        example_from_arrays,
        examples_from_folder,
        examples_from_project,
    )
    from napari_lgmsnet.core.finetune.job import fine_tune
    from napari_lgmsnet.core.finetune.keep import add_candidate, fine_tune_project, save_candidate
    from napari_lgmsnet.core.finetune.references import references_from_folder
    from napari_lgmsnet.core.finetune.result import CaseChange, CaseScore, FineTuneResult, Verdict
    from napari_lgmsnet.core.finetune.settings import FineTuneSettings, Plan, make_settings

__all__ = [
    "CaseChange",
    "CaseScore",
    "Control",
    "Example",
    "FineTuneResult",
    "FineTuneSettings",
    "Plan",
    "TuneProgress",
    "Verdict",
    "add_candidate",
    "example_from_arrays",
    "examples_from_folder",
    "examples_from_project",
    "fine_tune",
    "fine_tune_apart",
    "fine_tune_project",
    "make_settings",
    "references_from_folder",
    "save_candidate",
]

__getattr__ = loader(
    __name__,
    {
        "CaseChange": "result",
        "CaseScore": "result",
        "Control": "control",
        "Example": "examples",
        "FineTuneResult": "result",
        "FineTuneSettings": "settings",
        "Plan": "settings",
        "TuneProgress": "control",
        "Verdict": "result",
        "add_candidate": "keep",
        "example_from_arrays": "examples",
        "examples_from_folder": "examples",
        "examples_from_project": "examples",
        "fine_tune": "job",
        "fine_tune_apart": "apart",
        "fine_tune_project": "keep",
        "make_settings": "settings",
        "references_from_folder": "references",
        "save_candidate": "keep",
    },
)
