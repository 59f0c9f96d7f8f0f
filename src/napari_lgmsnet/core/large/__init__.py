"""Volumes larger than memory: block by block from a lazy file into OME-Zarr or NIfTI."""

from napari_lgmsnet.core.large.predict import LargeResult, predict_large

__all__ = ["LargeResult", "predict_large"]
