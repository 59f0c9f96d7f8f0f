"""Nothing is lost: full disks, kills, damaged writes, folders that must not be written to."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_lgmsnet.core.errors import InputError, WriteError
from napari_lgmsnet.core.io import WRITABLE, read, read_labels, write, write_labels
from napari_lgmsnet.core.io.verify import check_same
from napari_lgmsnet.core.types import Volume

pytest.importorskip("SimpleITK")

VOLUME_ENDINGS = [name for name in WRITABLE if name in (".nii", ".nii.gz", ".tif", ".nrrd", ".mha")]
needs_posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and limits")


def old_mask(folder: Path, name: str) -> Path:
    path = folder / name
    write_labels(path, Volume.from_array(np.eye(5, dtype=np.uint8), "YX"))
    return path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk with 512 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk in memory")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("ending", VOLUME_ENDINGS)
def test_full_disk_leaves_the_old_file(small_disk: Path, ending: str) -> None:
    old = old_mask(small_disk, f"mask{ending}")
    before = old.read_bytes()
    # Noise, which does not get smaller by compressing.
    data = np.random.default_rng(0).integers(0, 2**31, (50, 60, 60), dtype=np.uint32)
    with pytest.raises(InputError, match=r"the disk is full.*nothing was changed"):
        write_labels(old, Volume.from_array(data, "ZYX", (1, 1, 1)), overwrite=True)
    assert old.read_bytes() == before
    assert list(small_disk.iterdir()) == [old]


def test_full_disk_leaves_the_old_picture(small_disk: Path) -> None:
    old = old_mask(small_disk, "mask.png")
    before = old.read_bytes()
    noise = np.random.default_rng(0).integers(0, 2**16, (600, 600), dtype=np.uint16)
    with pytest.raises(InputError, match=r"the disk is full"):
        write(old, Volume.from_array(noise, "YX"), overwrite=True)
    assert old.read_bytes() == before
    assert list(small_disk.iterdir()) == [old]


LIMITED = """
import resource, signal, sys
import numpy as np
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.io import write_labels
from napari_lgmsnet.core.types import Volume
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
noise = np.random.default_rng(0).integers(0, 2**31, (50, 60, 60), dtype=np.uint32)
try:
    write_labels(sys.argv[1], Volume.from_array(noise, "ZYX", (1, 1, 1)), overwrite=True)
except InputError as error:
    print(error)
"""


@needs_posix
@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".tif"])
def test_limit_on_the_size_of_files_leaves_the_old_one(tmp_path: Path, ending: str) -> None:
    old = old_mask(tmp_path, f"mask{ending}")
    before = old.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(old)], capture_output=True, text=True, check=True
    )
    assert "was not written (File too large), and nothing was changed" in done.stdout
    assert old.read_bytes() == before
    assert list(tmp_path.iterdir()) == [old]


ENDLESS = """
import sys
import numpy as np
from napari_lgmsnet.core.io import write_labels
from napari_lgmsnet.core.types import Volume
masks = [Volume.from_array(np.full((30, 60, 60), i, np.uint8), "ZYX", (1, 2, 3)) for i in (1, 2)]
number = 0
while True:
    write_labels(sys.argv[1], masks[number % 2], overwrite=True)
    number += 1
    print(number, flush=True)
"""


@needs_posix
def test_killed_while_writing(tmp_path: Path) -> None:
    path = tmp_path / "mask.nii.gz"
    chance = random.Random(0)
    seen = set()
    for _ in range(6):
        command = [sys.executable, "-c", ENDLESS, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            written = len(process.stdout.read().split())
        volume = read_labels(path)
        assert volume.data.shape == (30, 60, 60)
        assert volume.spacing == (1, 2, 3)
        values = np.unique(volume.data)
        assert values.tolist() in ([1], [2])
        seen.add(written)
    assert len(seen) > 1  # not always killed at the same point


@pytest.mark.parametrize("ending", [".png", *VOLUME_ENDINGS])
def test_folder_that_must_not_be_written_to(small_disk: Path, ending: str) -> None:
    old = old_mask(small_disk, f"mask{ending}")
    before = old.read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(InputError, match=r"cannot write into the folder.*Read-only"):
        write_labels(old, Volume.from_array(np.eye(5, dtype=np.uint8), "YX"), overwrite=True)
    assert old.read_bytes() == before


def test_library_that_loses_something_is_found_out(tmp_path: Path, monkeypatch: Any) -> None:
    old = old_mask(tmp_path, "mask.tif")
    before = old.read_bytes()
    imwrite = tifffile.imwrite
    mask = Volume.from_array(np.eye(6, dtype=np.uint8), "YX", (1, 2))
    damages = {
        "other numbers": lambda data, more: (data * (data < 1), more),
        r"shape \(5, 6\)": lambda data, more: (data[:5], more),
        "holds uint16": lambda data, more: (data.astype(np.uint16), more),
        "lie elsewhere": lambda data, more: (data, _smaller_steps(more)),
    }
    for complaint, damage in damages.items():

        def careless(file: Any, data: Any, _damage: Any = damage, **more: Any) -> None:
            data, more = _damage(data, more)
            imwrite(file, data, **more)

        monkeypatch.setattr(tifffile, "imwrite", careless)
        with pytest.raises(WriteError, match=rf"mask\.tif.*not written.*{complaint}"):
            write_labels(old, mask, overwrite=True)
        assert old.read_bytes() == before
        assert list(tmp_path.iterdir()) == [old]
    monkeypatch.setattr(tifffile, "imwrite", imwrite)
    write_labels(old, mask, overwrite=True)
    assert read(old).spacing == (1, 2)


def _smaller_steps(more: dict[str, Any]) -> dict[str, Any]:
    return {**more, "metadata": {**more["metadata"], "PhysicalSizeX": 2 - 1e-9}}


def test_every_bit_counts() -> None:
    data = np.array([[[0.0, np.nan, 1.0]]])
    volume = Volume.from_array(data, "ZYX", (1, 1, 1))
    check_same(Path("a"), volume, volume.with_data(data.copy(), "ZYX"))
    for other in ([[[-0.0, np.nan, 1.0]]], [[[0.0, np.nan, np.nextafter(1, 2)]]]):
        with pytest.raises(WriteError, match="other numbers"):
            check_same(Path("a"), volume, volume.with_data(np.array(other), "ZYX"))


def test_parts_that_are_compared_cover_everything(monkeypatch: Any) -> None:
    from napari_lgmsnet.core.io import verify

    monkeypatch.setattr(verify, "_PART", 100)
    data = np.zeros((7, 5, 5), np.uint8)
    volume = Volume.from_array(data, "ZYX")
    for place in np.ndindex(data.shape):
        other = data.copy()
        other[place] = 1
        with pytest.raises(WriteError):
            check_same(Path("a"), volume, volume.with_data(other, "ZYX"))
