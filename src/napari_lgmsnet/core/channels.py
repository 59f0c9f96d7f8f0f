"""Choosing channels of a volume."""

from __future__ import annotations

from dataclasses import replace

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.types import Volume


def choose_channels(volume: Volume, channels: tuple[int, ...] | None) -> Volume:
    """Return a volume with some of its channels.

    Parameters
    ----------
    volume : Volume
        Its data may be lazy, and stay so.
    channels : tuple of int, optional
        Numbers from 0, in the order in which the network gets them. One alone gives a volume
        without a channel axis. Without them the volume is returned as it is.

    Raises
    ------
    InputError
        If it has no such channel.
    """
    if channels is None:
        return volume
    count = volume.data.shape[-1] if volume.has_channels else 1
    missing = [one for one in channels if not 0 <= one < count]
    if missing:
        has = f"{count} channels" if volume.has_channels else "no channel axis"
        raise InputError(
            f'there is no channel {missing[0] + 1}: "{volume.name}" has {has}. Choose others'
        )
    if not volume.has_channels:
        return volume
    if len(channels) == 1:
        return replace(volume, data=volume.data[..., channels[0]], axes=volume.axes[:-1])
    return replace(volume, data=volume.data[..., list(channels)])
