"""LGMSNet and its blocks (arXiv 2508.15476, ECAI 2025)."""

from napari_lgmsnet.core.network.architecture import Architecture
from napari_lgmsnet.core.network.layers import Fusion, GlobalMultiScale, LocalMultiScale
from napari_lgmsnet.core.network.lgmsnet import LGMSNet

__all__ = ["Architecture", "Fusion", "GlobalMultiScale", "LGMSNet", "LocalMultiScale"]
