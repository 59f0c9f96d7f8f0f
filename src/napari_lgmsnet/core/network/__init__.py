"""LGMSNet and its blocks (arXiv 2508.15476, ECAI 2025).

The names are loaded when first used: describing a checkpoint needs its architecture, which is
plain numbers, and must not wait for torch.
"""

from typing import TYPE_CHECKING

from napari_lgmsnet.core.lazily import loader

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

__getattr__ = loader(
    __name__,
    {
        "Architecture": "architecture",
        "Fusion": "layers",
        "GlobalMultiScale": "layers",
        "LGMSNet": "lgmsnet",
        "LocalMultiScale": "layers",
        "TinyUNet": "transplants",
        "UNet": "transplants",
    },
)
