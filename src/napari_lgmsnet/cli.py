"""The command line: a thin layer over the core.

Exit codes: 0 done; 1 some files failed, and which; 2 wrong use or unusable input, in one line.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_lgmsnet import (
    __version__,
    cli_convert,
    cli_demo,
    cli_evaluate,
    cli_features,
    cli_finetune,
    cli_predict,
    cli_project,
    cli_refine,
    cli_train,
    cli_weights,
)
from napari_lgmsnet.cli_options import AsJson
from napari_lgmsnet.core.errors import (
    CheckpointError,
    LGMSNetError,
    ProjectError,
    TrainingError,
)

# Large tensors on huge pages: on Linux a training step is faster by far. Must be set before torch.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

_NAME = "napari-lgmsnet"

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="LGMSNet: segment medical images and volumes, and train networks that do.",
)
app.add_typer(cli_project.app, name="project")
app.add_typer(cli_weights.app, name="weights")
for one in (
    cli_predict.predict,
    cli_refine.refine,
    cli_features.features,
    cli_evaluate.evaluate,
    cli_finetune.finetune,
    cli_train.train,
    cli_convert.convert,
    cli_demo.demo,
):
    app.command()(one)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{_NAME} {__version__}")
        raise typer.Exit


@app.callback()
def main_options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Say which version this is."
        ),
    ] = False,
) -> None:
    """Give the command line an option that stands before every command."""


@app.command()
def describe(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT", help="A checkpoint's file or name, or a folder of DICOM."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Say what a checkpoint is: network, classes, recipe, training data, licence, metrics.

    Of a folder of DICOM it lists the series.

    Example: napari-lgmsnet describe polyp-2d
    """
    if Path(checkpoint).is_dir():
        from napari_lgmsnet.core.io import dicom

        if dicom.holds_dicom(Path(checkpoint)):
            contents = dicom.survey(Path(checkpoint))
            if as_json:
                typer.echo(json.dumps([asdict(series) for series in contents.series], indent=2))
            else:
                typer.echo("\n".join([*map(str, contents.series), *contents.notes()]))
            return
    cli_weights.show_weights(checkpoint, as_json)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every expected error is one line and exit code 2."""
    try:
        # Without arguments of a caller's all of the process is the command line's.
        own = arguments is None
        code = app(args=arguments, prog_name=_NAME, standalone_mode=False, obj=own)
    except LGMSNetError as error:
        sys.exit(_fail(f"{_kind_of(error)} error: {error}"))
    except OSError as error:  # a full disk, a folder that is a file: nothing that a traceback mends
        where = f' "{error.filename}"' if error.filename else ""
        sys.exit(_fail(f"input error: {error.strerror or error}{where}"))
    except KeyboardInterrupt:
        sys.exit(_fail("stopped", 130))
    except Exception as error:
        # typer's own errors of use; anything else is a defect and keeps its traceback.
        if not hasattr(error, "format_message"):
            raise
        sys.exit(_fail(_about_use(error)))
    sys.exit(code if isinstance(code, int) else 0)


def _about_use(error: Any) -> str:
    """Return what typer says of wrong use, and where to read on."""
    message = str(error.format_message())
    if message.startswith("Usage:"):  # nothing was asked for, and this is the help
        return message
    context = getattr(error, "ctx", None)
    asked = _NAME if context is None else context.command_path
    return f"usage error: {message} (see {asked} --help)"


def _kind_of(error: LGMSNetError) -> str:
    if isinstance(error, ProjectError):  # or one of its kinds
        return "project"
    return {CheckpointError: "checkpoint", TrainingError: "training"}.get(type(error), "input")


def _fail(message: str, code: int = 2) -> int:
    sys.stderr.write(message + "\n")
    return code


if __name__ == "__main__":
    main()
