"""LGMSNet and its blocks (arXiv 2508.15476, ECAI 2025).

The names are loaded when first used: describing a checkpoint needs its architecture, which is
plain numbers, and must not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_lgmsnet.core.network.architecture import Architecture
    from napari_lgmsnet.core.network.layers import Fusion, GlobalMultiScale, LocalMultiScale
    from napari_lgmsnet.core.network.lgmsnet import LGMSNet
    from napari_lgmsnet.core.network.transplants import TinyUNet, UNet

__all__ = [
    "Architecture",
    "Fusion",
    "GlobalMultiScale",
    "LGMSNet",
    "LocalMultiScale",
    "TinyUNet",
    "UNet",
]

_HOMES = {
    "Architecture": "architecture",
    "Fusion": "layers",
    "GlobalMultiScale": "layers",
    "LGMSNet": "lgmsnet",
    "LocalMultiScale": "layers",
    "TinyUNet": "transplants",
    "UNet": "transplants",
}


def __getattr__(name: str) -> Any:
    """Load a name when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    # Later uses find it without coming here.
    globals()[name] = value
    return value
