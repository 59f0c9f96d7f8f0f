"""Register published heads to the MNI152 template, for tools/make_brain_dataset.py.

Needs SimpleITK.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

HEAD_HEIGHT = 170.0  # mm from the top of a head that are registered: the rest is neck


def register(fixed: Any, moving: Any, mask: Any, mesh: tuple[int, int, int], by_mass: bool) -> Any:
    """Return the transform from points of ``fixed`` to points of ``moving`` (SimpleITK images)."""
    import SimpleITK as sitk

    def method(share: float) -> Any:
        registration = sitk.ImageRegistrationMethod()
        registration.SetMetricAsMattesMutualInformation(40)
        registration.SetMetricFixedMask(mask)
        registration.SetMetricSamplingStrategy(registration.RANDOM)
        registration.SetMetricSamplingPercentage(share, 7)
        registration.SetInterpolator(sitk.sitkLinear)
        registration.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
        return registration

    def levels(registration: Any, shrink: list[int], sigmas: list[int]) -> Any:
        registration.SetShrinkFactorsPerLevel(shrink)
        registration.SetSmoothingSigmasPerLevel(sigmas)
        return registration

    affine = sitk.AffineTransform(3)
    affine.SetCenter([0.0, 20.0, 10.0])
    if by_mass:
        moments = sitk.CenteredTransformInitializerFilter.MOMENTS
        start = sitk.CenteredTransformInitializer(fixed, moving, sitk.Euler3DTransform(), moments)
        rigid = sitk.Euler3DTransform(start)
        registration = levels(method(0.05), [8, 4], [6, 3])
        registration.SetInitialTransform(rigid, True)
        registration.SetOptimizerAsRegularStepGradientDescent(2.0, 0.05, 100)
        registration.SetOptimizerScalesFromPhysicalShift()
        registration.Execute(fixed, moving)
        affine.SetCenter(rigid.GetCenter())
        affine.SetMatrix(rigid.GetMatrix())
        affine.SetTranslation(rigid.GetTranslation())
    registration = levels(method(0.05), [6, 3, 2], [4, 2, 1])
    registration.SetInitialTransform(affine, True)
    registration.SetOptimizerAsRegularStepGradientDescent(1.0, 0.01, 200)
    registration.SetOptimizerScalesFromPhysicalShift()
    registration.Execute(fixed, moving)
    warp = sitk.BSplineTransformInitializer(fixed, list(mesh), 3)
    registration = levels(method(0.15), [4, 2], [2, 1])
    registration.SetMovingInitialTransform(affine)
    registration.SetInitialTransform(warp, True)
    registration.SetOptimizerAsLBFGSB(1e-5, 40, 5, 400, 1e7)
    registration.Execute(fixed, moving)
    return sitk.CompositeTransform([affine, warp])


def without_neck(head: Any) -> Any:
    """Return the upper part of a head (a SimpleITK image whose last axis runs up)."""
    import SimpleITK as sitk

    brightness = sitk.GetArrayViewFromImage(head).mean((1, 2))
    top = int(np.flatnonzero(brightness > 0.1 * brightness.max())[-1]) + 1
    return head[:, :, max(0, top - int(HEAD_HEIGHT / head.GetSpacing()[2])) : top]


def register_heads(template: Path, single: Path, subject: Path, average: Path, cache: Path) -> None:
    """Resample the heads onto the template's grid, so that its brain mask fits them.

    The sharp heads are matched to the template's brain. The average head's scalp is as bright as
    its brain and would be pulled onto it, so that one is matched to a sharp head, skull to skull.
    """
    import SimpleITK as sitk

    cache.mkdir(parents=True, exist_ok=True)

    def load(path: Path, high: float) -> Any:
        return sitk.Clamp(sitk.ReadImage(str(path), sitk.sitkFloat32), sitk.sitkFloat32, 0, high)

    fixed = load(template, 255)
    mask = sitk.BinaryDilate(sitk.Cast(fixed > 0, sitk.sitkUInt8), (4, 4, 4))
    for name, path in (("single", single), ("subject", subject)):
        target = cache / f"{name}.nii.gz"
        if target.exists():
            continue
        moving = sitk.DICOMOrient(load(path, 1e6), "RAS")
        # The first has been brought near to the template by whoever made it.
        by_mass = name == "subject"
        part = without_neck(moving) if by_mass else moving
        transform = register(fixed, part, mask, (7, 8, 7), by_mass=by_mass)
        sitk.WriteImage(sitk.Resample(moving, fixed, transform, sitk.sitkBSpline, 0.0), str(target))
    sharp = load(cache / "single.nii.gz", 250)
    target = cache / "mean.nii.gz"
    if not target.exists():
        moving = load(average, 500)
        mask = sitk.BinaryDilate(sitk.BinaryFillhole(sharp > 15), (5, 5, 5))
        transform = register(sharp, moving, mask, (5, 6, 5), by_mass=True)
        sitk.WriteImage(sitk.Resample(moving, fixed, transform, sitk.sitkBSpline, 0.0), str(target))
