"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_lgmsnet.core.errors import InputError

if TYPE_CHECKING:
    from napari_lgmsnet.core.model import Model

Checkpoint = Annotated[
    str, typer.Option("--checkpoint", "-c", help="Name of a bundled checkpoint, or a file.")
]
RecipeOption = Annotated[
    str | None, typer.Option(help="Use this built-in recipe instead of the checkpoint's own.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
Engine = Annotated[
    str,
    typer.Option(
        help="What runs the network on the processor: torch, fused, openvino, auto for the fastest "
        "of them here, or openvino-bfloat16, faster and less exact, where the processor can."
    ),
]
Threshold = Annotated[float, typer.Option(min=0.0, max=1.0, help="Higher makes masks smaller.")]
Overlap = Annotated[float | None, typer.Option(help="Of windows, 0 to below 1.")]
Flips = Annotated[
    bool | None,
    typer.Option("--flips/--no-flips", help="Average over flips; as the recipe has it by itself."),
]
Native = Annotated[bool, typer.Option("--native", help="Images in windows at their own size.")]
Channels = Annotated[
    list[int] | None,
    typer.Option(
        "--channel",
        min=1,
        help="Of images with channels: the one to use; for several, repeat it in their order.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: JSON on standard output.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Neither progress nor messages; errors are shown.")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say more, and name the steps line by line.")
]


def load_model(checkpoint: str, recipe: str | None = None) -> Model:
    """Load a checkpoint, with another recipe if one is named."""
    from napari_lgmsnet.core.checkpoints import load
    from napari_lgmsnet.core.recipes import recipe_named

    return load(checkpoint, recipe_named(recipe) if recipe else None)


def prepare_to_train(context: typer.Context) -> None:
    """Make the process quick at training, if all of it is the command line's."""
    if context.find_root().obj:
        from napari_lgmsnet.core.dedicated import dedicate_process

        dedicate_process()


def from_zero(numbers: list[int] | None) -> tuple[int, ...] | None:
    """Return numbers that a person counts from 1, counted from 0."""
    return tuple(one - 1 for one in numbers) if numbers else None


def box_of(text: str | None) -> tuple[tuple[int, int], ...] | None:
    """Return what START:STOP,START:STOP,... means."""
    if text is None:
        return None
    parts = [part.strip().split(":") for part in text.split(",")]
    if any(len(ends) != 2 or not all(end.isdecimal() for end in ends) for ends in parts):
        raise InputError(f'"{text}" is no box: write it as 0:64,20:84 with numbers from 0')
    return tuple((int(start), int(stop)) for start, stop in parts)


def level_of(text: str) -> int | Literal["auto"]:
    """Return the level that is asked for, counted from 0."""
    if text == "auto":
        return "auto"
    if not text.isdecimal() or int(text) == 0:
        raise InputError(
            f'level "{text}" is no number from 1 on, and not auto: choose one of these'
        )
    return int(text) - 1
