"""Grad-CAM and occlusion against captum, autograd and plain repetition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inspect.gradcam import grad_cam
from napari_lgmsnet.core.inspect.inspection import Inspection
from napari_lgmsnet.core.inspect.occlusion import occlude, occlusion_map
from napari_lgmsnet.core.inspect.targets import class_logits, class_named
from napari_lgmsnet.core.model import Model
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.types import Volume
from tests.core.helpers import small_model
from tests.core.inspect.helpers import look

GENERATOR = np.random.default_rng(0)


class Plain(nn.Module):
    """A plain convolution net with a stage in the middle."""

    def __init__(self, dimensions: int, classes: int) -> None:
        super().__init__()
        convolution = nn.Conv2d if dimensions == 2 else nn.Conv3d
        self.encoder2 = nn.Sequential(
            convolution(1, 6, 3, stride=2, padding=1), nn.ReLU(), convolution(6, 6, 3, padding=1)
        )
        self.rest = nn.Sequential(nn.Tanh(), convolution(6, classes, 3, padding=1))
        self.up = nn.Upsample(scale_factor=2, mode="bilinear" if dimensions == 2 else "trilinear")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(self.rest(self.encoder2(x)))


def plain_model(dimensions: int, out_channels: int) -> Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Plain(dimensions, out_channels)
    return Model(network, small_model(dimensions, out_channels=out_channels).info)


def volume_of(*shape: int) -> Volume:
    return Volume.from_array(GENERATOR.normal(size=shape), "ZYX"[-len(shape) :])


@pytest.mark.parametrize(
    ("dimensions", "classes", "number"), [(2, 1, 1), (2, 1, 0), (2, 3, 2), (3, 3, 1), (3, 1, 1)]
)
@pytest.mark.parametrize("model_of", [plain_model, small_model], ids=["plain", "lgmsnet"])
def test_grad_cam_is_captums(dimensions: int, classes: int, number: int, model_of: object) -> None:
    model = model_of(dimensions, out_channels=classes)
    volume = volume_of(*(32,) * dimensions)
    mask = GENERATOR.random((32,) * dimensions) > 0.7
    inspection = look(model, volume, ["encoder2"])
    own = run(grad_cam(inspection, "encoder2", number, mask))
    region = torch.from_numpy(mask)

    def score(x: torch.Tensor) -> torch.Tensor:
        return (class_logits(model.network(x)[0], number) * region).sum().reshape(1)

    reference = LayerGradCam(score, model.network.encoder2).attribute(
        inspection.inputs.pieces[0][None], relu_attributions=True
    )
    expected = reference[0, 0].detach().numpy()
    assert expected.max() > 0
    np.testing.assert_allclose(own.data, expected, atol=1e-5 * expected.max())


@pytest.mark.parametrize("model_of", [plain_model, small_model], ids=["plain", "lgmsnet"])
def test_grad_cam_of_windows_is_the_gradient_of_the_blended_answer(
    model_of: Callable[..., Model],
) -> None:
    """A channel's weight is what raising it everywhere does to the blended score."""
    model = model_of(2, out_channels=3)
    inspection = look(model, volume_of(70, 40), ["encoder2"])
    mask = np.zeros((70, 40), dtype=bool)
    mask[10:60, 5:30] = True
    cam = run(grad_cam(inspection, "encoder2", 2, mask))
    inputs = inspection.inputs
    features = torch.from_numpy(inspection.features("encoder2").copy())
    raised = torch.zeros(len(features), 1, 1, requires_grad=True)
    hook = model.network.encoder2.register_forward_hook(lambda _m, _i, out: out + raised)
    total = torch.zeros((3, *inputs.tiling.padded_size))
    for place in inputs.tiling.places:
        logits = model.network(inputs.pieces[0][(slice(None), *place)][None])[0]
        total[(slice(None), *place)] += logits * inputs.weights
    hook.remove()
    blended = (total / inputs.norm)[(2, *inputs.tiling.inside)]
    blended[torch.from_numpy(mask)].sum().backward()
    cells = np.prod([n // 2 for n in inputs.tiling.padded_size])
    expected = (raised.grad * features).sum(dim=0).relu().numpy() / cells
    assert expected.max() > 0
    np.testing.assert_allclose(cam.data, expected, atol=1e-4 * expected.max())


def test_grad_cam_of_a_stack_is_that_of_its_slices() -> None:
    model = small_model(2, size=(32, 32))
    stack = GENERATOR.normal(size=(3, 40, 32))
    mask = np.zeros(stack.shape, dtype=bool)
    mask[[0, 2], 5:25, 6:20] = True
    together = run(grad_cam(look(model, Volume.from_array(stack, "ZYX")), "encoder3", 1, mask))
    assert not together.data[1].any()
    for index in (0, 2):
        alone = look(model, Volume.from_array(stack[index], "YX"))
        expected = run(grad_cam(alone, "encoder3", 1, mask[index])).data
        np.testing.assert_allclose(together.data[index], expected, atol=1e-6 * expected.max())


def test_grad_cam_works_on_a_frozen_network() -> None:
    model = small_model(2)
    inspection = look(model, volume_of(32, 32))
    mask = np.ones((32, 32), dtype=bool)
    free = run(grad_cam(inspection, "encoder4", 1, mask))
    model.network.requires_grad_(False)
    frozen = run(grad_cam(inspection, "encoder4", 1, mask))
    np.testing.assert_array_equal(free.data, frozen.data)


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("shape", [(32, 32), (75, 40)], ids=["one window", "windows"])
def test_occlusion_is_the_change_of_the_mean_probability(
    shape: tuple[int, ...], number: int
) -> None:
    model = plain_model(2, out_channels=3)
    box = (slice(10, 18), slice(8, 20))
    volume = volume_of(*shape)
    volume.data[box] += 8.0
    inspection = look(model, volume, ["encoder2"])
    mask = np.zeros(shape, dtype=bool)
    mask[4:20, 6:22] = True
    answer = run(occlude(inspection, box, number, mask, fill="mean"))
    assert answer.before == pytest.approx(inspection.probabilities[number][mask].mean(), abs=1e-6)
    # Again from scratch: the same input with the box replaced by the mean of the pixels around.
    array = inspection.inputs.pieces[0].clone()
    inside = tuple(
        slice(cut.start + shift, cut.stop + shift)
        for cut, shift in zip(box, inspection.inputs.tiling.before, strict=True)
    )
    rows, columns = inside
    around = array[0, rows.start - 2 : rows.stop + 2, columns.start - 3 : columns.stop + 3].clone()
    ring = torch.ones_like(around, dtype=torch.bool)
    ring[2:-2, 3:-3] = False
    array[0][inside] = around[ring].mean()
    inputs = replace(inspection.inputs, pieces=(array,))
    again = Inspection(model, inputs, inspection.settings, inspection.device)
    run(again.load(["encoder2"]))
    assert answer.after == pytest.approx(again.probabilities[number][mask].mean(), abs=1e-6)
    assert answer.drop == pytest.approx(answer.before - answer.after)
    assert abs(answer.drop) > 1e-3


def test_a_map_of_occlusion_covers_one_patch_after_another() -> None:
    model = plain_model(2, 1)
    inspection = look(model, volume_of(50, 40), ["encoder2"])
    mask = np.zeros((50, 40), dtype=bool)
    mask[4:30, 6:22] = True
    steps = []
    job = occlusion_map(inspection, 1, mask, patch=8)
    while True:
        try:
            steps.append(next(job))
        except StopIteration as stop:
            coarse = stop.value
            break
    assert coarse.data.shape == (7, 5)
    assert coarse.signed
    assert steps[-1].message == "patch 35 of 35"
    for cell in ((0, 0), (2, 1), (3, 4)):
        box = tuple(slice(8 * c, 8 * c + 8) for c in cell)
        assert coarse.data[cell] == pytest.approx(
            run(occlude(inspection, box, 1, mask)).drop, abs=1e-5
        )
    np.testing.assert_array_equal(coarse.on_grid().data[8:16, :8], coarse.data[1, 0])


def test_a_slice_of_a_stack_is_covered_alone() -> None:
    model = small_model(2, size=(32, 32))
    stack = Volume.from_array(GENERATOR.normal(size=(3, 32, 32)), "ZYX")
    inspection = look(model, stack)
    mask = np.zeros((3, 32, 32), dtype=bool)
    mask[:2, 5:25, 6:20] = True
    box = (slice(1, 3), slice(4, 20), slice(4, 20))
    both = run(occlude(inspection, box, 1, mask))
    only = run(occlude(inspection, (slice(1, 2), *box[1:]), 1, mask))
    assert both == only
    none = run(occlude(inspection, (slice(2, 3), *box[1:]), 1, mask))
    assert none.drop == 0.0
    coarse = run(occlusion_map(inspection, 1, mask))
    assert coarse.data.shape == (3, 2, 2)
    assert not coarse.data[2].any()
    assert coarse.data[:2].any()


def test_without_a_mask_the_networks_own_is_asked_about() -> None:
    model = small_model(2, out_channels=3)
    inspection = look(model, volume_of(32, 32))
    found = int(np.bincount(inspection.labels.ravel(), minlength=3).argmax())
    own = run(grad_cam(inspection, "encoder5", found))
    given = run(grad_cam(inspection, "encoder5", found, inspection.labels == found))
    np.testing.assert_array_equal(own.data, given.data)
    inspection.labels[inspection.labels == 2] = 0
    with pytest.raises(InputError, match="finds no class 2 here: choose a mask"):
        run(grad_cam(inspection, "encoder5", 2))


def test_what_cannot_be_asked_is_said() -> None:
    model = small_model(2)
    inspection = look(model, volume_of(32, 32))
    mask = np.ones((32, 32), dtype=bool)
    with pytest.raises(InputError, match="no class 2"):
        run(grad_cam(inspection, "encoder5", 2, mask))
    with pytest.raises(InputError, match="holds no pixel"):
        run(grad_cam(inspection, "encoder5", 1, ~mask))
    with pytest.raises(InputError, match="choose the mask of this image"):
        run(grad_cam(inspection, "encoder5", 1, mask[:5]))
    with pytest.raises(InputError, match='no stage "encoder9"'):
        run(grad_cam(inspection, "encoder9", 1, mask))
    with pytest.raises(InputError, match="the box holds nothing"):
        run(occlude(inspection, (slice(40, 50), slice(0, 3)), 1, mask))
    with pytest.raises(InputError, match="has 2 axes, got 1"):
        run(occlude(inspection, (slice(0, 5),), 1, mask))
    with pytest.raises(InputError, match="choose blur or mean"):
        run(occlude(inspection, (slice(0, 5), slice(0, 5)), 1, mask, fill="black"))
    with pytest.raises(InputError, match="choose 1 or more"):
        run(occlusion_map(inspection, 1, mask, patch=0))
    assert class_named(model.info) == class_named(model.info, "foreground") == 1
    assert class_named(model.info, "0") == 0
    with pytest.raises(InputError, match='no class "liver": choose one of background, foreground'):
        class_named(model.info, "liver")
