"""How fast the network runs and learns, against a plain implementation of the same network.

    python benchmarks/speed.py [--quick] [--only 2d 3d train networks] [--threads N]
        [--plot docs/images/speed.png]

The baseline ("plain") is this network with the same weights as one would write it down at first:
attention as an explicit softmax over the matrix of all pairs, the default layout of arrays, one
operation after another, an optimiser that walks over the parameters. All ways take turns, each
round in a new order, and medians are given, so what else the machine does meets all alike; but
only an idle machine gives figures worth keeping. Steps of fine-tuning are taken in a process of
their own, prepared as the command line and the window prepare theirs. The second table sets the
network beside others from MONAI (which need einops), with their usual sizes: parameters,
multiply-adds, time on the processor for the same input. They run as MONAI has them, LGMSNet plain,
so that like is compared with like; what an engine adds stands in the first table.

With --quick it takes about four minutes on two cores, without it about fifteen.
"""

from __future__ import annotations

import argparse
import copy
import platform
import random
import statistics
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import monai
import torch
from monai.networks import nets
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from napari_lgmsnet.core.checkpoints import load
from napari_lgmsnet.core.dedicated import dedicate_process
from napari_lgmsnet.core.device import autocast, processor_has_bfloat16, set_thread_budget
from napari_lgmsnet.core.engines.checked import BUILDERS, deviation
from napari_lgmsnet.core.engines.names import BFLOAT16, installed, offered
from napari_lgmsnet.core.finetune.loss import LabelledLoss
from napari_lgmsnet.core.network import Architecture, LGMSNet
from napari_lgmsnet.core.network.layers import Attention
from napari_lgmsnet.core.training.optimise import make_average, parameter_groups

Work = Callable[[], object]
CPU = torch.device("cpu")


class PlainAttention(Attention):
    """Attention that forms the matrix of all pairs."""

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.heads(x)
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        answers = torch.softmax(scores, dim=-1) @ value
        return self.out(answers.transpose(1, 2).flatten(2))


def plain(network: LGMSNet) -> LGMSNet:
    """Return the baseline: the same numbers, nothing fused."""
    network = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
    for module in network.modules():
        if isinstance(module, Attention):
            module.__class__ = PlainAttention
    return network


def volume_network() -> LGMSNet:
    """Return the network of the paper's size for volumes, its norms as after training."""
    torch.manual_seed(0)
    network = LGMSNet(Architecture(dimensions=3, in_channels=1, out_channels=14)).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return network


def in_turns(ways: dict[str, Work], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each way in every round, after one to warm up."""
    order = list(ways)
    for name in order:
        ways[name]()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            start = time.perf_counter()
            ways[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def show(title: str, seconds: dict[str, list[float]], notes: dict[str, str]) -> dict[str, float]:
    """Print medians and ratios to the baseline; return the ratios."""
    base = statistics.median(seconds["plain"])
    print(f"\n{title}\n\n| way | median | slowest | times faster | |\n|---|---|---|---|---|")
    ratios = {}
    for name, times in seconds.items():
        median = statistics.median(times)
        ratios[name] = base / median
        print(
            f"| {name} | {1e3 * median:.0f} ms | {1e3 * max(times):.0f} ms | "
            f"{ratios[name]:.2f} | {notes.get(name, '')} |"
        )
    return ratios


def inference(title: str, network: LGMSNet, batch: Tensor, rounds: int) -> dict[str, float]:
    """Compare all engines with the baseline on one window."""
    base = plain(network)
    ways: dict[str, Work] = {"plain": lambda: base(batch), "torch": lambda: network(batch)}
    notes = {}
    with torch.inference_mode():
        reference = base(batch)
        notes["torch"] = f"logits within {deviation(network(batch), reference):.1e} of their spread"
        for name in offered()[1:]:
            if name == BFLOAT16 and not processor_has_bfloat16():
                continue
            start = time.perf_counter()
            engine = BUILDERS[name](network, tuple(batch.shape[2:]), torch.get_num_threads())
            logits = engine(batch)
            took = time.perf_counter() - start
            away = deviation(logits, reference)
            notes[name] = f"logits within {away:.1e} of their spread; ready in {took:.1f} s"
            ways[name] = lambda engine=engine: engine(batch)
        return show(title, in_turns(ways, rounds), notes)


def training_step(network: LGMSNet, images: Tensor, targets: Tensor, *, ours: bool) -> Work:
    """Return one step of fine-tuning all parts, as the baseline or as this project does it."""
    network = copy.deepcopy(network) if ours else plain(network)
    network.train()
    if ours:
        network.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(parameter_groups(network, 1e-2), lr=1e-5, fused=True)
    else:
        optimiser = torch.optim.AdamW(
            parameter_groups(network, 1e-2), lr=1e-5, foreach=False, fused=False
        )
    average, loss_of = make_average(network, 0.95), LabelledLoss(network.architecture.out_channels)

    def step() -> None:
        if ours:
            with autocast(CPU):
                logits = network(images)
        else:
            logits = network(images)
        loss = loss_of(logits.float(), targets)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        average.update_parameters(network)

    return step


def training_batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return four images and targets."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(0, 3, (4, 1, 256, 256), dtype=torch.uint8, generator=generator)
    return torch.randn(4, 3, 256, 256, generator=generator), targets


def begin_apart(threads: int) -> None:
    """Prepare a process for steps of fine-tuning."""
    global step_apart  # the state of a process that exists for it
    dedicate_process()
    torch.set_num_threads(threads)
    step_apart = training_step(load("polyp-2d").network, *training_batch(), ours=True)


def go_apart() -> bool:
    """Take a step there, and say whether it was in bfloat16."""
    step_apart()
    with autocast(CPU):
        return torch.is_autocast_enabled("cpu")


def training(network: LGMSNet, rounds: int) -> dict[str, float]:
    """Compare steps of fine-tuning."""
    with ProcessPoolExecutor(
        1, get_context("spawn"), begin_apart, (torch.get_num_threads(),)
    ) as apart:
        reduced = apart.submit(go_apart).result()
        ways: dict[str, Work] = {
            "plain": training_step(network, *training_batch(), ours=False),
            "fine-tuning": lambda: apart.submit(go_apart).result(),
        }
        note = {"fine-tuning": "bfloat16" if reduced else "float32, which is quicker here"}
        return show("Fine-tuning step, 256 x 256, batch 4", in_turns(ways, rounds), note)


def others(size: tuple[int, ...], channels: int) -> dict[str, Callable[[], nn.Module]]:
    """Return networks of MONAI for images or volumes, with what their papers or MONAI use."""
    n = len(size)
    widths, strides = (32, 64, 128, 256, 512), (2, 2, 2, 2)
    return {
        "U-Net": lambda: nets.UNet(n, channels, 1, widths, strides, num_res_units=2),
        "Attention U-Net": lambda: nets.AttentionUnet(n, channels, 1, widths, strides),
        "U-Net++": lambda: nets.BasicUNetPlusPlus(n, channels, 1),
        "DynUNet": lambda: nets.DynUNet(
            n, channels, 1, [3] * 5, [1, 2, 2, 2, 2], [2] * 4, filters=list(widths)
        ),
        "UNETR": lambda: nets.UNETR(channels, 1, size, spatial_dims=n),
        "SwinUNETR": lambda: nets.SwinUNETR(channels, 1, feature_size=24, spatial_dims=n),
        "MedNeXt": lambda: nets.MedNeXt(n, in_channels=channels, out_channels=1),
    }


def multiply_adds(network: nn.Module, batch: Tensor) -> float:
    """Return the multiply-adds of one pass, in 10^9."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(batch)
    return counter.get_total_flops() / 2e9


def networks(title: str, own: LGMSNet, size: tuple[int, ...], rounds: int) -> None:
    """Print the second table for one size of input."""
    channels = own.architecture.in_channels
    batch = torch.randn(1, channels, *size)
    # With explicit attention, whose multiply-adds the counter sees.
    built: dict[str, nn.Module] = {"LGMSNet": plain(own)}
    missing = {}
    for name, make in others(size, channels).items():
        try:
            built[name] = make().eval()
        except ImportError as error:  # MONAI's optional dependencies
            missing[name] = str(error).splitlines()[0]
    counts = {name: multiply_adds(one, batch) for name, one in built.items()}
    engine = BUILDERS[installed()[-1]](own, size, torch.get_num_threads())
    with torch.inference_mode():
        ways: dict[str, Work] = {name: lambda one=one: one(batch) for name, one in built.items()}
        ways["LGMSNet, engine"] = lambda: engine(batch)
        seconds = in_turns(ways, rounds)
    print(f"\n{title}\n\n| network | parameters | multiply-adds | median |\n|---|---|---|---|")
    for name, one in built.items():
        million = sum(p.numel() for p in one.parameters()) / 1e6
        median = statistics.median(seconds[name])
        print(f"| {name} | {million:.2f} M | {counts[name]:.2f} G | {1e3 * median:.0f} ms |")
    print(
        f"| LGMSNet, engine {engine.name} | | | "
        f"{1e3 * statistics.median(seconds['LGMSNet, engine']):.0f} ms |"
    )
    for name, why in missing.items():
        print(f"| {name} | not measured: {why} | | |")


def draw(path: Path, tables: dict[str, dict[str, float]]) -> None:
    """Draw the ratios of the first tables."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    bars = [(f"{table}: {way}", r) for table, ways in tables.items() for way, r in ways.items()]
    colours = ["#888888" if label.endswith(": plain") else "#1f77b4" for label, _ in bars]
    drawn = axes.barh([label for label, _ in bars], [ratio for _, ratio in bars], color=colours)
    axes.bar_label(drawn, fmt="%.2f", padding=3)
    axes.invert_yaxis()
    axes.set_xlabel("times faster than the plain implementation")
    axes.margins(x=0.12)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--plot", type=Path)
    parts = ("2d", "3d", "train", "networks")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    arguments = parser.parse_args()
    # MONAI warns of arguments that its own networks use.
    warnings.simplefilter("ignore", FutureWarning)
    random.seed(0)
    threads = set_thread_budget()
    if arguments.threads:
        threads = arguments.threads
        torch.set_num_threads(threads)
    print(
        f"{_processor()}, {threads} threads, {torch.backends.cpu.get_cpu_capability()}; "
        f"torch {torch.__version__}, MONAI {monai.__version__}, Python {platform.python_version()}"
    )
    network, quick, tables = load("polyp-2d").network, arguments.quick, {}
    if "2d" in arguments.only:
        batch = torch.randn(1, 3, 256, 256)
        title = "2D, 256 x 256, batch 1, float32"
        tables["2D"] = inference(title, network, batch, 15 if quick else 50)
    if "3d" in arguments.only:
        batch = torch.randn(1, 1, 96, 96, 96)
        title = "3D, window of 96 x 96 x 96, float32"
        tables["3D"] = inference(title, volume_network(), batch, 3 if quick else 10)
    if "train" in arguments.only:
        tables["step"] = training(network, 3 if quick else 10)
    if "networks" in arguments.only:
        networks("2D, 256 x 256", network, (256, 256), 5 if quick else 20)
        if not quick:
            networks("3D, 96 x 96 x 96", volume_network(), (96, 96, 96), 3)
    if arguments.plot and tables:
        draw(arguments.plot, tables)


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
