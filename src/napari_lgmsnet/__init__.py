"""Segment medical images with LGMSNet, in napari, from Python or on the command line.

The public names are loaded when first used: importing this package loads neither torch nor Qt,
so that napari can read the plugin's manifest in no time.
"""

from typing import TYPE_CHECKING

from napari_lgmsnet.core.lazily import loader

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

__getattr__ = loader(
    __name__,
    {
        "Evaluation": "core.evaluation.evaluate",
        "Features": "core.inspect.features",
        "LabelledClick": "core.refine.apply",
        "Model": "core.model",
        "Prediction": "core.prediction",
        "Volume": "core.types",
        "evaluate": "core.evaluation.evaluate",
        "features": "core.inspect.features",
        "finetune": "core.learning",
        "load": "core.checkpoints",
        "predict": "core.inference",
        "predict_files": "core.batch.pipeline",
        "read": "core.io",
        "refine": "core.refine.apply",
        "train": "core.learning",
        "write": "core.io",
        "write_labels": "core.io",
    },
)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})
