"""The library: everything that works without a window. Nothing here imports Qt or napari."""
