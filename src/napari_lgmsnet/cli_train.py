"""The command line for training a network."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from napari_lgmsnet.cli_options import AsJson, Device, Quiet, Verbose, load_model, prepare_to_train
from napari_lgmsnet.cli_progress import show


def train(
    context: typer.Context,
    config: Annotated[Path, typer.Argument(help="A training configuration (TOML).")],
    data: Annotated[Path, typer.Option(help="Folder with images, masks and lists.")],
    run: Annotated[
        Path,
        typer.Option(
            "--run", "-o", help="Folder for log, state and checkpoint; after torchrun write -o."
        ),
    ],
    device: Device = "auto",
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the file's.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="All cores without it.")] = None,
    parent: Annotated[
        str | None, typer.Option("--from", help="Checkpoint whose weights are the start.")
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(help="Network to learn from beside the masks (.safetensors, .onnx, .xml)."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train a network; the same command goes on after an interruption.

    On several GPUs or machines, torchrun starts it: the processes share each batch, and the curve
    is that of one process.

    Example: napari-lgmsnet train polyp-2d.toml --data PolypGen --run runs/polyp-2d

    Example: torchrun --nproc-per-node 2 -m napari_lgmsnet train a.toml --data D -o R
    """
    import torch

    from napari_lgmsnet.core.training.config import read_training_config
    from napari_lgmsnet.core.training.trainer import train as start

    prepare_to_train(context)
    if threads is not None:
        torch.set_num_threads(threads)
    settings = read_training_config(config, epochs=epochs)
    origin = load_model(parent) if parent else None
    # Of several processes one speaks.
    first = os.environ.get("RANK", "0") == "0"
    job = start(settings, data, run, device=device, parent=origin, teacher=teacher)
    result = show(job, settings.name, quiet or not first, verbose)
    if not first:
        return
    if as_json:
        typer.echo(json.dumps(asdict(result) | {"checkpoint": str(result.checkpoint)}, indent=2))
        return
    typer.echo(
        f"{result.checkpoint}: Dice {result.dice:.4f}, IoU {result.iou:.4f} on the validation "
        f"cases, reached in epoch {result.epoch}"
    )
