"""From a volume to a network's input, and the exact way back to the volume's grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import nibabel as nib
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.recipes import IMAGENET_MEAN, IMAGENET_STD, Intensity, Recipe
from napari_lgmsnet.core.types import Volume

FloatArray = NDArray[np.float32]
BACKGROUND_LOGIT = 20.0
"""Confidence (in logits) that what a recipe crops away is background."""
_PART = 2**20
"""Numbers scaled at a time."""


def channels_first(volume: Volume, recipe: Recipe, in_channels: int) -> FloatArray:
    """Return the intensities as (C, *S) in the colours that the network expects.

    Parameters
    ----------
    volume : Volume
        One image or volume, without a time axis.
    recipe : Recipe
        Says the order of colours.
    in_channels : int
        Channels of the network's input.

    Raises
    ------
    InputError
        If the channels cannot be turned into those that the network expects.
    """
    if volume.axes.startswith("T"):
        raise InputError(f'"{volume.name}" is a time series: choose one frame')
    data = volume.data
    if data.dtype.kind not in "buif":
        raise InputError(f'"{volume.name}" holds {data.dtype}: real numbers are expected')
    data = np.moveaxis(data, -1, 0) if volume.has_channels else data[np.newaxis]
    if 0 in data.shape:
        raise InputError(f'"{volume.name}" is empty (shape {volume.data.shape})')
    channels = data.shape[0]
    if channels in (2, 4) and channels == in_channels + 1:
        data = data[:-1]  # grey or colour with alpha
    if data.shape[0] == 1 and in_channels == 3 and recipe.colour != "grey":
        data = np.repeat(data, 3, axis=0)
    if in_channels == 1 and channels in (3, 4):
        data = np.tensordot(np.array([0.299, 0.587, 0.114]), data[:3], axes=1)[np.newaxis]
    if data.shape[0] != in_channels:
        raise InputError(
            f'expected {in_channels} channel(s), "{volume.name}" has {channels}: choose the '
            "channels to use, or another checkpoint"
        )
    if recipe.colour == "bgr":
        data = data[::-1]
    array = np.array(data, dtype=np.float32, order="C")  # torch takes no negative strides
    if data.dtype.kind == "f" and not np.isfinite(array).all():
        array = np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0)
    return array


def to_byte_range(array: FloatArray, dtype: np.dtype[Any]) -> FloatArray:
    """Bring intensities to 0..255, as pictures have them.

    8-bit intensities stay as they are; floats within 0..1 are multiplied by 255; everything
    else is stretched between its 0.5 and 99.5 percentile.
    """
    if dtype == np.uint8:
        return array
    if dtype == np.bool_:
        return array * np.float32(255)
    low, high = float(array.min()), float(array.max())
    if dtype.kind == "f" and low >= 0.0 and high <= 1.0:
        return array * np.float32(255)
    low, high = (float(p) for p in np.percentile(array, (0.5, 99.5)))
    scale = 255.0 / (high - low) if high > low else 0.0
    return ((np.clip(array, low, high) - low) * scale).astype(np.float32)


def scale_intensity(array: FloatArray, intensity: Intensity, dtype: np.dtype[Any]) -> FloatArray:
    """Scale intensities as the recipe says.

    Parameters
    ----------
    array : float32 array (C, *S)
        Overwritten, if it can be scaled without looking at all of it.
    intensity : Intensity
    dtype : numpy dtype
        What the intensities were stored as.
    """
    if intensity.kind == "range":
        np.subtract(array, np.float32(intensity.low), out=array)
        np.divide(array, np.float32(intensity.high - intensity.low), out=array)
        np.clip(array, 0.0, 1.0, out=array)
        return array
    if intensity.kind == "zscore":
        low, high = (float(p) for p in np.percentile(array, (0.5, 99.5)))
        clipped: FloatArray = np.clip(array, low, high, dtype=np.float32)
        # In double precision, since the mean of many large numbers loses digits in single.
        mean, spread = clipped.mean(dtype=np.float64), clipped.std(dtype=np.float64)
        for part in _parts(clipped):
            part[...] = (part - mean) / max(spread, 1e-6)
        return clipped
    array = to_byte_range(array, dtype)
    means, stds = (
        np.resize(of_colours, len(array)) for of_colours in (IMAGENET_MEAN, IMAGENET_STD)
    )
    for one, mean, std in zip(range(len(array)), means, stds, strict=True):
        for part in _parts(array[one : one + 1]):
            scaled = (part / 255.0 - mean) / std
            part[...] = scaled / 255.0 if intensity.kind == "imagenet-255" else scaled
    return array


def _parts(array: FloatArray) -> Iterator[FloatArray]:
    """Yield some rows of one channel at a time: in double precision all would be much memory."""
    for channel in array:
        rows = max(1, _PART * len(channel) // max(1, channel.size))
        for start in range(0, len(channel), rows):
            yield channel[start : start + rows]


def resize(
    array: FloatArray, size: tuple[int, ...], interpolation: str, *, picture: bool = False
) -> FloatArray:
    """Resize (C, *S) to (C, *size); grid cells keep their extent, so no half-pixel shift arises.

    An 8-bit ``picture`` is rounded and clipped to 0..255, as programs that resize pictures do.
    """
    if array.shape[1:] == size:
        return array
    if interpolation == "lanczos" and len(size) == 2:
        # Pillow rounds an 8-bit picture between its two passes as well.
        planes = array.astype(np.uint8) if picture else array
        resized = [
            Image.fromarray(plane).resize((size[1], size[0]), Image.Resampling.LANCZOS)
            for plane in planes
        ]
        return np.stack([np.asarray(plane, dtype=np.float32) for plane in resized])
    antialias = interpolation == "antialias" and len(size) == 2
    out = _interpolate(torch.from_numpy(array), size, antialias=antialias).numpy()
    return np.rint(out) if picture else out


def _interpolate(array: Tensor, size: tuple[int, ...], *, antialias: bool = False) -> Tensor:
    mode = "bilinear" if len(size) == 2 else "trilinear"
    out = F.interpolate(array[None], size=size, mode=mode, align_corners=False, antialias=antialias)
    return out[0]


@dataclass(frozen=True)
class Grid:
    """How a network's input lies on the volume that it came from.

    Parameters
    ----------
    shape : tuple of int
        The volume's spatial shape.
    order : tuple of int
        The volume's axis that became each axis of the input.
    flips : tuple of int
        Axes of the input (after reordering) that run backwards.
    resampled : tuple of int
        Shape after resampling.
    crop : tuple of slice
        The part of the resampled grid that the network sees.
    """

    shape: tuple[int, ...]
    order: tuple[int, ...]
    flips: tuple[int, ...]
    resampled: tuple[int, ...]
    crop: tuple[slice, ...]

    def restore(self, logits: Tensor) -> Tensor:
        """Bring logits back to the volume's own grid.

        Parameters
        ----------
        logits : float tensor (K, *cropped)

        Returns
        -------
        float tensor (K, *shape)
        """
        if tuple(logits.shape[1:]) != self.resampled:
            full = logits.new_zeros((logits.shape[0], *self.resampled))
            if logits.shape[0] == 1:
                full.fill_(-BACKGROUND_LOGIT)
            else:
                full[0] = BACKGROUND_LOGIT
            full[(slice(None), *self.crop)] = logits
            logits = full
        oriented = tuple(self.shape[axis] for axis in self.order)
        if oriented != self.resampled:
            logits = _interpolate(logits, oriented)
        if self.flips:
            logits = logits.flip([axis + 1 for axis in self.flips])
        back = np.argsort(self.order)
        return logits.permute(0, *(int(axis) + 1 for axis in back)).contiguous()


def orientation_of(volume: Volume) -> NDArray[np.float64]:
    """Return nibabel's orientation array (world axis in R, A, S order; direction) per data axis."""
    ras_from_zyx_lps = np.array([[0, 0, -1, 0], [0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    orientation: NDArray[np.float64] = nib.orientations.io_orientation(
        ras_from_zyx_lps @ volume.affine
    )
    return orientation


def axis_codes(volume: Volume) -> str:
    """Return to which side of the body each spatial axis of a volume runs, such as ``SPL``."""
    return "".join(nib.orientations.ornt2axcodes(orientation_of(volume)))


def turn(volume: Volume, orientation: str | None) -> tuple[Volume, Grid]:
    """Bring a volume's axes into an anatomical orientation; no voxel is interpolated.

    Parameters
    ----------
    volume : Volume
        Images, and volumes if ``orientation`` is None, stay as they are.
    orientation : str, optional
        As in :class:`Recipe`.

    Returns
    -------
    volume : Volume
        The same voxels at the same places in the world.
    grid : Grid
        The way back.
    """
    count = volume.ndim_spatial
    order: tuple[int, ...] = tuple(range(count))
    flips: tuple[int, ...] = ()
    if orientation is not None and count == 3:
        target = nib.orientations.axcodes2ornt(orientation)
        transform = nib.orientations.ornt_transform(orientation_of(volume), target)
        order = tuple(int(axis) for axis in np.argsort(transform[:, 0]))
        flips = tuple(place for place, axis in enumerate(order) if transform[axis, 1] < 0)
    shape = tuple(volume.spatial_shape[axis] for axis in order)
    grid = Grid(volume.spatial_shape, order, flips, shape, tuple(slice(0, n) for n in shape))
    if order == tuple(range(count)) and not flips:
        return volume, grid
    to_old = np.zeros((count + 1, count + 1))
    to_old[-1, -1] = 1.0
    for place, axis in enumerate(order):
        backwards = place in flips
        to_old[axis, place] = -1.0 if backwards else 1.0
        to_old[axis, -1] = shape[place] - 1 if backwards else 0.0
    lead = int(volume.axes.startswith("T"))
    axes = [*range(lead), *(axis + lead for axis in order), *range(lead + count, len(volume.axes))]
    data = np.flip(volume.data.transpose(axes), tuple(place + lead for place in flips))
    return replace(volume, data=data, affine=volume.affine @ to_old), grid


def prepare(
    volume: Volume, recipe: Recipe, in_channels: int, *, whole: bool = True
) -> tuple[FloatArray, Grid]:
    """Prepare one image or volume for a network.

    Parameters
    ----------
    volume : Volume
        Axes ``YX`` or ``YXC`` for a 2D recipe, ``ZYX`` or ``ZYXC`` for a 3D one.
    recipe : Recipe
    in_channels : int
        Channels of the network's input.
    whole : bool
        Whether images are resized to the recipe's size, if it names one; otherwise they keep
        their own size.

    Returns
    -------
    array : float32 array (in_channels, *S)
    grid : Grid
        The way back.

    Raises
    ------
    InputError
        If the image does not suit the recipe.
    """
    if volume.ndim_spatial != recipe.dimensions:
        raise InputError(
            f'the checkpoint works on {recipe.dimensions}D, "{volume.name}" has '
            f"{volume.ndim_spatial} spatial axes: choose a slice, or another checkpoint"
        )
    turned, grid = turn(volume, recipe.orientation)
    array = channels_first(turned, recipe, in_channels)
    size = _target_size(turned, recipe, whole=whole)
    # The authors' 3D code resamples first and clips then; in 2D it resizes 8-bit pictures.
    picture = recipe.dimensions == 2 and volume.data.dtype == np.uint8
    array = resize(array, size, recipe.interpolation, picture=picture)
    array = scale_intensity(array, recipe.intensity, volume.data.dtype)
    crop = _foreground(array) if recipe.crop_foreground else tuple(slice(0, n) for n in size)
    cropped = np.ascontiguousarray(array[(slice(None), *crop)])
    return cropped, replace(grid, resampled=size, crop=crop)


def _target_size(volume: Volume, recipe: Recipe, *, whole: bool) -> tuple[int, ...]:
    if recipe.size is not None and whole:
        return recipe.size
    if recipe.spacing is None or volume.units == "pixel":
        return volume.spatial_shape
    pairs = zip(volume.spatial_shape, volume.spacing, recipe.spacing, strict=True)
    return tuple(max(1, round(n * own / wanted)) for n, own, wanted in pairs)


def _foreground(array: FloatArray) -> tuple[slice, ...]:
    """Return the box around everything above zero; the whole array if there is nothing."""
    above = np.max(array, axis=0) > 0
    boxes = ndimage.find_objects(above.astype(np.uint8), max_label=1)
    box: tuple[slice, ...] | None = boxes[0]
    return box or tuple(slice(0, n) for n in above.shape)
