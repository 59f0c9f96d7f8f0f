"""Make the bundled sample images from the files of Debian's package mricron-data.

Writes small parts of Colin27 (27 T1 scans of one head, averaged; ``ch2.nii.gz``), with the AAL
hippocampus (``aal.nii.gz``) and the brain that skull stripping left (``ch2bet.nii.gz``) as
references, and ``index.json``, which says what each is, under which terms, and which checkpoint
segments it::

    dpkg -x mricron-data_*.deb mricron
    python tools/make_samples.py mricron/usr/share/mricron/templates --out sample_data
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from napari_lgmsnet.core.io import read, write, write_labels
from napari_lgmsnet.core.types import Volume, affine_from_spacing

LEFT_HIPPOCAMPUS = 37  # in aal.nii.txt
# Voxels left around the reference (z, y, x), first before and then behind it. AAL draws the
# hippocampus 2 to 3 mm wider than the training data of the network do, whose crops have margins
# of about 5 voxels: so both show as much around what is truly hippocampus.
MARGINS = ((3, 4, 4), (3, 4, 5))
SLICE = 76  # through the basal ganglia and the front of the ventricles
STACK_STEP = 6

COLIN27 = (
    "Colin27 T1 (C) 1993-2009 Louis Collins, McConnell Brain Imaging Centre, Montreal "
    "Neurological Institute, McGill University: any purpose, with notice (licences/colin27.txt)"
)
AAL = "AAL (C) Groupe d'Imagerie Neurofonctionnelle: GNU GPL (licences/aal.txt)"
BET = "mask: BSD-3-Clause, Chris Rorden (licences/mricron.txt)"
SOURCE = "Debian package mricron-data 1.2.20211006, templates/{}"
BRAIN: dict[str, Any] = {
    "checkpoint": "brain-t1-2d",
    "reference_classes": {"1": ["brain"]},
    "licence": f"{COLIN27}; {BET}",
    "source": SOURCE.format("ch2.nii.gz and ch2bet.nii.gz"),
}
SAMPLES: list[dict[str, Any]] = [
    {
        "name": "colin27-hippocampus",
        "title": "MR around the left hippocampus (3D)",
        "kind": "3d",
        "image": "colin27_hippocampus_t1.nii.gz",
        "reference": "colin27_hippocampus_aal.nii.gz",
        "checkpoint": "hippocampus-3d",
        "reference_classes": {"1": ["anterior hippocampus", "posterior hippocampus"]},
        "licence": f"{COLIN27}; {AAL}",
        "source": SOURCE.format("ch2.nii.gz and aal.nii.gz"),
    },
    {
        "name": "colin27-axial",
        "title": "Axial MR slice of a head (2D)",
        "kind": "2d",
        "image": "colin27_axial_t1.png",
        "reference": "colin27_axial_brain.png",
        **BRAIN,
    },
    {
        "name": "colin27-slices",
        "title": "Axial MR slices of a head, every 6 mm (stack)",
        "kind": "stack",
        "image": "colin27_slices_t1.nii.gz",
        "reference": "colin27_slices_brain.nii.gz",
        **BRAIN,
    },
]


def part(volume: Volume, slices: Sequence[slice]) -> Volume:
    """Cut, thin out or flip a volume; its voxels stay where they are in the world."""
    steps, starts = zip(
        *(
            ((s.step or 1), s.indices(n)[0])
            for s, n in zip(slices, volume.spatial_shape, strict=True)
        ),
        strict=True,
    )
    index = np.diag([*map(float, steps), 1.0])
    index[:-1, -1] = starts
    return replace(volume, data=volume.data[tuple(slices)], affine=volume.affine @ index + 0.0)


def largest_component(mask: np.ndarray) -> np.ndarray:
    """Return the mask without loose pieces, each axial slice without holes."""
    labels, _ = ndimage.label(mask)
    mask = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    return np.stack([ndimage.binary_fill_holes(plane) for plane in mask])


def around(mask: np.ndarray) -> list[slice]:
    """Return the box around a mask, with the margins above."""
    corners = np.argwhere(mask)
    low, high = corners.min(axis=0) - MARGINS[0], corners.max(axis=0) + 1 + MARGINS[1]
    return [slice(int(first), int(last)) for first, last in zip(low, high, strict=True)]


def make(templates: Path, out: Path) -> None:
    """Write all samples and their index."""
    out.mkdir(exist_ok=True)
    head = read(templates / "ch2.nii.gz")
    aal = read(templates / "aal.nii.gz")
    hippocampus = head.with_data(aal.data == LEFT_HIPPOCAMPUS, "ZYX")
    brain = head.with_data(largest_component(read(templates / "ch2bet.nii.gz").data > 0), "ZYX")
    box = around(hippocampus.data)
    # As radiologists look at slices: the front at the top, the patient's right at the left.
    turned = [slice(None), slice(None, None, -1), slice(None, None, -1)]
    stack = [slice(4, None, STACK_STEP), *turned[1:]]
    pairs = [(part(head, box), part(hippocampus, box))]
    plane = tuple(
        replace(
            volume,
            data=volume.data[SLICE, ::-1, ::-1],
            axes="YX",
            affine=affine_from_spacing((1.0, 1.0)),
            units="pixel",
            source={},
        )
        for volume in (head, brain)
    )
    pairs += [(plane[0], plane[1]), (part(head, stack), part(brain, stack))]
    for sample, (image, reference) in zip(SAMPLES, pairs, strict=True):
        write(out / sample["image"], image, overwrite=True)
        write_labels(out / sample["reference"], reference, overwrite=True)
        sample["sha256"] = {
            sample[role]: hashlib.sha256((out / sample[role]).read_bytes()).hexdigest()
            for role in ("image", "reference")
        }
        sizes = [(out / sample[role]).stat().st_size for role in ("image", "reference")]
        print(sample["name"], image.data.shape, int(reference.data.sum()), "voxels", sizes)
    index = json.dumps({"samples": SAMPLES}, indent=2, ensure_ascii=False)
    (out / "index.json").write_text(index + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("templates", type=Path, help="folder of mricron-data's templates")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    make(arguments.templates, arguments.out)
