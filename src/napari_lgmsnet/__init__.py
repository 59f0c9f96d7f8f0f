"""Segment medical images with LGMSNet, in napari, from Python or on the command line.

The public names are loaded when first used: importing this package loads neither torch nor Qt,
so that napari can read the plugin's manifest in no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_lgmsnet.core.batch.pipeline import predict_files
    from napari_lgmsnet.core.checkpoints import load
    from napari_lgmsnet.core.evaluation.evaluate import Evaluation, evaluate
    from napari_lgmsnet.core.inference import predict
    from napari_lgmsnet.core.inspect.features import Features, features
    from napari_lgmsnet.core.io import read, write, write_labels
    from napari_lgmsnet.core.learning import finetune, train
    from napari_lgmsnet.core.model import Model
    from napari_lgmsnet.core.prediction import Prediction
    from napari_lgmsnet.core.refine.apply import LabelledClick, refine
    from napari_lgmsnet.core.types import Volume

__version__ = "0.1.0"

__all__ = [
    "Evaluation",
    "Features",
    "LabelledClick",
    "Model",
    "Prediction",
    "Volume",
    "__version__",
    "evaluate",
    "features",
    "finetune",
    "load",
    "predict",
    "predict_files",
    "read",
    "refine",
    "train",
    "write",
    "write_labels",
]

_HOMES = {
    "Evaluation": "napari_lgmsnet.core.evaluation.evaluate",
    "Features": "napari_lgmsnet.core.inspect.features",
    "LabelledClick": "napari_lgmsnet.core.refine.apply",
    "Model": "napari_lgmsnet.core.model",
    "Prediction": "napari_lgmsnet.core.prediction",
    "Volume": "napari_lgmsnet.core.types",
    "evaluate": "napari_lgmsnet.core.evaluation.evaluate",
    "features": "napari_lgmsnet.core.inspect.features",
    "finetune": "napari_lgmsnet.core.learning",
    "load": "napari_lgmsnet.core.checkpoints",
    "predict": "napari_lgmsnet.core.inference",
    "predict_files": "napari_lgmsnet.core.batch.pipeline",
    "read": "napari_lgmsnet.core.io",
    "refine": "napari_lgmsnet.core.refine.apply",
    "train": "napari_lgmsnet.core.learning",
    "write": "napari_lgmsnet.core.io",
    "write_labels": "napari_lgmsnet.core.io",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    # Later uses find it without coming here.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})
