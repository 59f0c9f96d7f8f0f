"""What holds for every command, found by looking through the whole command line."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main
from PIL import Image

from napari_lgmsnet import __version__
from napari_lgmsnet.cli import app, main
from napari_lgmsnet.core.project import Project

SHOWS_ONLY = {"describe", "weights list", "weights show", "project list"}
"""Commands that do nothing but show something: there is nothing to silence, and no more to say."""


def walk(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield the words and the command of every subcommand."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from walk(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(walk(typer.main.get_command(app)))
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run the command line here; return its exit code and what it printed."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        assert isinstance(caught.value.code, int)
        return caught.value.code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_speaks_to_programs_and_can_be_silenced(name: str) -> None:
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert "--json" in options
    if name not in SHOWS_ONLY:
        assert {"--quiet", "-q", "--verbose", "-v"} <= options


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples_that_are_right(name: str, call: Call) -> None:
    code, told, _ = call(*name.split(), "--help")
    assert code == 0
    assert "Example: " in told
    examples = [
        paragraph.removeprefix("Example: ").replace("\n", " ")
        for paragraph in (COMMANDS[name].help or "").split("\n\n")
        if paragraph.startswith("Example: ")
    ]
    ours = [one.split("napari_lgmsnet ", 1)[-1].split("napari-lgmsnet ", 1)[-1] for one in examples]
    assert any(one.startswith(name) for one in ours)
    for one in ours:
        # Refuses an option that does not exist, or a missing one.
        COMMANDS[name].make_context(name, shlex.split(one)[len(name.split()) :])
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert parameter.help, f"{name} {parameter.opts[0]} is not explained"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an image, a volume's mask, clicks, a training configuration, and a project."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("image.png")
    Image.fromarray(pixels[..., 0] // 128).save("mask.png")
    Path("clicks.csv").write_text("y,x,positive\n3,4,yes\n", encoding="utf-8")
    for folder in ("images", "masks"):
        Path("data", folder).mkdir(parents=True)
    for number in range(2):
        Image.fromarray(pixels).save(f"data/images/{number}.png")
        Image.fromarray(pixels[..., 0] // 128).save(f"data/masks/{number}.png")
    Path("training.toml").write_text("dimensions = 7\n", encoding="utf-8")
    Project.create(Path("project")).close()
    return tmp_path


# Nothing lies below a file, so nobody, not even an administrator, can write there.
WRONG = {
    "predict": [
        "absent.png -o mask.png -c polyp-2d",
        "image.png -o out.png -c no-such",
        "image.png -o clicks.csv/out.png -c polyp-2d",
        "image.png -o out.png --settings absent.toml",
    ],
    "refine": [
        "absent.png --clicks clicks.csv --mask mask.png -o out.png",
        "image.png --clicks absent.csv --mask mask.png -o out.png",
        "image.png --clicks clicks.csv --mask absent.png -o out.png",
        "image.png --clicks clicks.csv -c no-such -o out.png",
        "image.png --clicks clicks.csv --mask mask.png -o clicks.csv/out.png",
    ],
    "features": [
        "absent.png -o maps -c polyp-2d",
        "image.png -o maps -c no-such",
        "image.png -o clicks.csv/maps -c polyp-2d",
        "image.png -o maps -c polyp-2d --mask absent.png",
    ],
    "evaluate": [
        "absent -c polyp-2d",
        "data -c no-such",
        "data -c polyp-2d -o clicks.csv/report",
        "data -c polyp-2d --list absent.txt",
        "data/masks --predictions absent",
    ],
    "finetune": [
        "absent -c polyp-2d -o new.safetensors",
        "data -c no-such -o new.safetensors",
        "data -c polyp-2d -o clicks.csv/new.safetensors",
        "data -c polyp-2d -o new.safetensors --references absent",
    ],
    "train": [
        "absent.toml --data data --run run",
        "training.toml --data data --run run",
        "good.toml --data absent --run run",
        "good.toml --data data --run clicks.csv/run",
        "good.toml --data data --run run --from no-such",
    ],
    "convert": [
        "absent.png -o out.tif",
        "no-such -o out.safetensors",
        "polyp-2d -o clicks.csv/out.safetensors",
        "image.png -o clicks.csv/out.tif",
    ],
    "demo": ["no-such", "-o clicks.csv/masks"],
    "describe": ["no-such", "absent.safetensors"],
    "weights list": ["more"],
    "weights show": ["no-such", "absent.safetensors"],
    "weights verify": ["--no-such"],
    "weights fetch": [
        "no-address --sha256 00",
        f"http://127.0.0.1:9/a.safetensors --sha256 {64 * '0'} -o clicks.csv/a.safetensors",
        f"http://127.0.0.1:9/a.safetensors --sha256 {64 * '0'} -o a.safetensors",
    ],
    "project list": ["absent", "data"],
    "project export": ["absent -o out", "project -o clicks.csv/out"],
    "project verify": ["absent", "data"],
    "project ledger": ["absent -o out.csv", "project -o clicks.csv/out.csv"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_wrong_use_is_one_line_and_code_2(name: str, here: Path, call: Call) -> None:
    from napari_lgmsnet.core.resources import resource_folder

    good = resource_folder("weights") / "training" / "polyp-2d.toml"
    Path("good.toml").write_bytes(good.read_bytes())
    for arguments in WRONG[name]:
        before = sorted(here.rglob("*"))
        code, told, error = call(*name.split(), *arguments.split())
        assert code == 2, (arguments, told, error)
        assert len(error.strip().splitlines()) == 1, (arguments, error)
        assert told == "", arguments
        left = [one for one in here.rglob("*") if one not in before and one.is_file()]
        assert not left, arguments


def test_without_a_command_the_help_is_shown_and_nothing_else(call: Call) -> None:
    for words in ([], ["weights"], ["project"]):
        code, told, error = call(*words)
        assert (code, told) == (2, "")
        assert error.startswith(f"Usage: {' '.join(['napari-lgmsnet', *words])}")
        assert "usage error" not in error


def test_wrong_use_points_to_the_help_of_the_command(call: Call) -> None:
    assert "(see napari-lgmsnet weights fetch --help)" in call("weights", "fetch")[2]
    assert "(see napari-lgmsnet --help)" in call("no-such")[2]


def test_the_version_is_said(call: Call) -> None:
    assert call("--version") == (0, f"napari-lgmsnet {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        "predict image.png -o out.png --settings absent.toml",
        "refine image.png --clicks absent.csv --mask mask.png -o out.png",
        "refine image.png --clicks absent.json --mask mask.png -o out.png",
        "train absent.toml --data data --run run",
    ],
)
def test_a_missing_text_file_is_called_missing(arguments: str, here: Path, call: Call) -> None:
    code, _, error = call(*arguments.split())
    assert code == 2
    assert re.search(r'there is no [\w ()]+ "absent\.\w+": check its name and folder', error)


def test_text_files_may_begin_with_a_mark(here: Path, call: Call) -> None:
    clicks = '[{"y": 3, "x": 4, "positive": "yes"}]'
    Path("clicks.json").write_text(clicks, encoding="utf-8-sig")  # as Windows saves it
    refine = "refine image.png --clicks clicks.json --mask mask.png -o out.png"
    assert call(*refine.split())[0] == 0
    Path("clicks.json").write_bytes(clicks.encode("utf-16"))
    code, _, error = call(*refine.split(), "--overwrite")
    assert code == 2
    assert "no text in UTF-8" in error


def test_features_of_folders_and_patterns(here: Path, call: Call) -> None:
    use = ["-o", "maps", "-c", "polyp-2d", "--json", "-q", "--overwrite"]
    for inputs in ("data/images", "data/images/*.png"):
        code, told, _ = call("features", inputs, *use)
        assert code == 0
        sources = [Path(one["source"]).name for one in json.loads(told)["cases"]]
        assert sources == ["0.png", "1.png"]


def test_tables_in_a_file_keep_their_words_whole(call: Call) -> None:
    told = call("weights", "list")[1]
    lines = [line for line in told.splitlines() if "hippocampus-3d" in line]
    assert "anterior hippocampus, posterior hippocampus" in lines[0]


def test_json_is_one_document_and_nothing_else(here: Path, call: Call) -> None:
    calls = [
        "describe polyp-2d",
        "weights list",
        "weights show polyp-2d",
        "weights verify polyp-2d",
        "convert image.png -o image.tif",
        "refine image.png --clicks clicks.csv --mask mask.png -o refined.png",
        "predict image.png -o predicted.png -c polyp-2d --engine torch",
        "evaluate data/masks --predictions data/masks",
        "features image.png -o maps -c polyp-2d",
        "project list project",
        "project verify project",
        "project ledger project -o ledger.csv",
    ]
    for one in calls:
        code, told, _ = call(*one.split(), "--json")
        assert code == 0, one
        json.loads(told, parse_constant=lambda name, one=one: pytest.fail(f"{one}: {name}"))
    named = {name for name in COMMANDS for one in calls if one.startswith(f"{name} ")}
    # These take long, or need the internet or accepted cases; they have tests of their own.
    named |= {"weights list", "finetune", "train", "demo", "weights fetch", "project export"}
    assert named == set(COMMANDS)


def test_verbose_says_more_and_quiet_nothing(here: Path, call: Call) -> None:
    use = ["predict", "image.png", "-c", "polyp-2d", "--engine", "torch"]
    _, usual, said = call(*use, "-o", "a.png")
    _, more, said_more = call(*use, "-o", "b.png", "-v")
    _, less, said_less = call(*use, "-o", "c.png", "-q")
    assert usual == more == less == ""
    assert said_less == ""
    assert 0 < len(said.splitlines()) < len(said_more.splitlines())
