"""Tools that correct a mask: each says which voxels change, and changes nothing itself.

Every tool is a generator of :class:`~napari_lgmsnet.core.types.Progress` that returns a
:class:`Change`; closing it between two steps stops the work.
"""

from napari_lgmsnet.core.edit.change import Change
from napari_lgmsnet.core.edit.holes import fill_holes
from napari_lgmsnet.core.edit.interpolate import interpolate
from napari_lgmsnet.core.edit.islands import keep_largest, remove_islands
from napari_lgmsnet.core.edit.margin import grow, shrink
from napari_lgmsnet.core.edit.scope import EVERYWHERE, Scope
from napari_lgmsnet.core.edit.smooth import smooth
from napari_lgmsnet.core.edit.split import split
from napari_lgmsnet.core.edit.write import copy_slice, object_at, put, replace

__all__ = [
    "EVERYWHERE",
    "Change",
    "Scope",
    "copy_slice",
    "fill_holes",
    "grow",
    "interpolate",
    "keep_largest",
    "object_at",
    "put",
    "remove_islands",
    "replace",
    "shrink",
    "smooth",
    "split",
]
