"""Memory and time that opening a volume takes, at once and lazily.

    python benchmarks/memory_io.py

Makes a volume of 512 x 512 x 400 voxels with 16 bits (210 MB) in a temporary folder: as NIfTI, as
compressed NIfTI, and as OME-Zarr in chunks of 64 x 128 x 128. Then opens each in a fresh process
and prints by how much the process grew at most over what it had after its imports, and the time.
The files are in the system's cache, so the time is that of decoding, not of a disk.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from peak import measure

SHAPE = (400, 512, 512)
CHUNKS = (64, 128, 128)
TASKS = {
    "read at once": "volume = read(path)",
    "read at once, one slice of it": "read(path).data[200].sum()",
    "open lazily": "volume = read(path, lazy=True)",
    "open lazily, first slice": "np.asarray(read(path, lazy=True).data[0]).sum()",
    "open lazily, middle slice": "np.asarray(read(path, lazy=True).data[200]).sum()",
}
MEASURE = """
import json, sys
import numpy as np
import dask.array
from napari_lgmsnet.core.io import read
from peak import begin, report
try:
    import zarr, indexed_gzip
except ImportError:
    pass

(path,) = json.loads(sys.argv[1])
begin()
{task}
report()
"""


def make(folder: Path) -> dict[str, Path]:
    """Write the volume in all formats: a smooth body with the noise of a scanner."""
    import nibabel
    import zarr

    generator = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    body = (400 * (x**2 + y**2 < 0.6)).astype(np.int16)
    data = np.stack(
        [body + generator.normal(0, 12, body.shape).astype(np.int16) for _ in range(SHAPE[0])]
    )
    image = nibabel.Nifti1Image(data.T, np.diag([0.7, 0.7, 1.0, 1.0]))
    paths = {
        "NIfTI": folder / "scan.nii",
        "NIfTI, compressed": folder / "scan.nii.gz",
        "OME-Zarr": folder / "scan.zarr",
    }
    image.to_filename(paths["NIfTI"])
    image.to_filename(paths["NIfTI, compressed"])
    axes = [{"name": name, "type": "space", "unit": "millimeter"} for name in "zyx"]
    scale = [{"type": "scale", "scale": [1.0, 0.7, 0.7]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    group = zarr.open_group(paths["OME-Zarr"], mode="w", zarr_format=3)
    group.attrs["ome"] = {
        "version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]
    }  # fmt: skip
    group.create_array("0", data=data, chunks=CHUNKS)
    return paths


def size_of(path: Path) -> float:
    """Return the size of a file or folder in MB."""
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files) / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=1, help="Take the best of so many runs.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        paths = make(Path(name))
        print(f"made the files in {time.perf_counter() - start:.0f} s", flush=True)
        print(f"{'format':18} {'on disk':>8}  {'task':30} {'memory':>9} {'time':>9}")
        for kind, path in paths.items():
            for task, code in TASKS.items():
                runs = [
                    measure(MEASURE.replace("{task}", code), str(path))
                    for _ in range(options.repeat)
                ]
                memory, seconds = (min(values) for values in zip(*runs, strict=True))
                print(
                    f"{kind:18} {size_of(path):5.0f} MB  {task:30} {memory:6.0f} MB "
                    f"{seconds * 1000:6.0f} ms",
                    flush=True,
                )


if __name__ == "__main__":
    main()
