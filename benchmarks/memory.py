"""Memory that segmenting takes: large volumes block by block, large images in windows.

    python benchmarks/memory.py [--network shipped] [--volumes 0] [--images 1024 2048] [--blocks 1]

Each line is a process of its own. "Volumes" are written once as OME-Zarr in a temporary folder and
segmented with `predict_large` and the recipe of hippocampus-3d (windows of 32 x 64 x 32, overlap
0.5, blocks of 192). "Images" are 8-bit colour in memory, segmented with `predict` and polyp-2d in
native windows (96 x 96, overlap 0.5). Printed is by how much the process grew at most over what
it had after its imports and with the checkpoint loaded, the size of the input, and the time.

A volume of 512 x 512 x 300 takes 10 659 windows, those that two blocks share counted twice. So by
default the network is a stand-in that answers zeros of the right shape at once: everything but the
network itself is real, and what the network needs for one window is a line of its own, to be added.
With `--network shipped` the network is real, and `--blocks N` stops after N blocks of each volume:
no block needs another's memory.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from peak import measure

VOLUMES = ((96, 256, 256), (200, 384, 384), (300, 512, 512))
IMAGES = (1024, 2048)
MEASURE = '''
import json, sys
from pathlib import Path
import numpy as np
import torch
from peak import begin, report
from napari_lgmsnet import load, predict
from napari_lgmsnet.core.large import predict_large
from napari_lgmsnet.core.large.source import Source
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.prediction import PredictSettings

class StandIn(torch.nn.Module):
    """Answers zeros of the right shape."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels

    def forward(self, batch):
        return batch.new_zeros((batch.shape[0], self.channels, *batch.shape[2:]))

def volume(path, blocks):
    import dask.array, zarr
    job = predict_large(
        model, Source(Path(path)), Path(path).with_name("mask.zarr"),
        PredictSettings(device="cpu", engine="torch", overlap=0.5), overwrite=True,
    )
    begin()
    for step in job:
        if blocks and step.total and step.step >= blocks:
            break

def image(size):
    pixels = np.random.default_rng(0).integers(0, 255, (size, size, 3), dtype=np.uint8)
    begin()
    predict(model, pixels, device="cpu", engine="torch", native=True, overlap=0.5, flips=False)

def window():
    recipe = model.info.recipe
    batch = torch.zeros(1, model.info.architecture.in_channels, *recipe.window)
    begin()
    with torch.inference_mode():
        model.network(batch)

checkpoint, network, task, *arguments = json.loads(sys.argv[1])
model = load(checkpoint)
if network == "stand-in":
    model = Model(StandIn(model.info.architecture.out_channels), model.info, model.sha256)
globals()[task](*arguments)
report()
'''


def write_volume(path: Path, shape: tuple[int, ...]) -> None:
    """Write a volume of 1 mm with 16 bits as OME-Zarr: a body with the noise of a scanner."""
    import zarr

    generator = np.random.default_rng(0)
    group = zarr.open_group(path, mode="w", zarr_format=3)
    axes = [{"name": name, "type": "space", "unit": "millimeter"} for name in "zyx"]
    scale = [{"type": "scale", "scale": [1.0, 1.0, 1.0]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    group.attrs["ome"] = {
        "version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]
    }  # fmt: skip
    array = group.create_array("0", shape=shape, chunks=(64, 128, 128), dtype="int16")
    y, x = np.mgrid[-1 : 1 : shape[1] * 1j, -1 : 1 : shape[2] * 1j]
    body = (400 * (x**2 + y**2 < 0.6)).astype(np.int16)
    for start in range(0, shape[0], 64):
        count = min(64, shape[0] - start)
        noise = generator.normal(0, 12, (count, *shape[1:])).astype(np.int16)
        array[start : start + count] = body + noise


def tell(what: str, network: str, size: float, memory: float, seconds: float) -> None:
    """Print one line of the table."""
    print(f"{what:34} {network:9} {size:7.0f} MB {memory:7.0f} MB {seconds:7.1f} s", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=("stand-in", "shipped"), default="stand-in")
    parser.add_argument(
        "--volumes", type=int, nargs="*", default=range(len(VOLUMES)),
        help="Which of the volumes: 0, 1, 2.",
    )  # fmt: skip
    parser.add_argument("--images", type=int, nargs="*", default=IMAGES, help="Edges of images.")
    parser.add_argument("--blocks", type=int, default=0, help="Of each volume; 0 for all.")
    options = parser.parse_args()
    network = options.network
    print(f"{'what':34} {'network':9} {'input':>10} {'memory':>10} {'time':>9}")
    for checkpoint in ("hippocampus-3d", "polyp-2d"):
        tell(
            f"one window, {checkpoint}",
            "shipped",
            0,
            *measure(MEASURE, checkpoint, "shipped", "window"),
        )
    for number in options.volumes:
        shape = VOLUMES[number]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "scan.zarr"
            write_volume(path, shape)
            found = measure(MEASURE, "hippocampus-3d", network, "volume", str(path), options.blocks)
        name = " x ".join(map(str, reversed(shape))) + " voxels"
        tell(name, network, 2 * float(np.prod(shape)) / 1e6, *found)
    for size in options.images:
        found = measure(MEASURE, "polyp-2d", network, "image", size)
        tell(f"{size} x {size} pixels, native", network, 3 * size**2 / 1e6, *found)


if __name__ == "__main__":
    main()
