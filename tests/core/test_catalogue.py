"""What checkpoints say of themselves is known without loading them, or torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from napari_lgmsnet.core.catalogue import default_checkpoint, peek, shipped
from napari_lgmsnet.core.checkpoints import export_official, load, save
from tests.core.helpers import small_model


def test_own_file_says_what_loading_it_says(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save(path, small_model(3, out_channels=3))
    assert peek(path) == load(path).info


def test_checkpoints_that_ship_say_what_they_are() -> None:
    for name in shipped():
        info = peek(name)
        assert info is not None
        assert info.name == name


def test_colour_images_begin_with_the_checkpoint_for_them() -> None:
    assert default_checkpoint(colour=True) == "polyp-2d"
    assert default_checkpoint(colour=False) == next(iter(shipped()))
    assert sum("default_for" in entry for entry in shipped().values()) == 1


def test_official_file_says_nothing(tmp_path: Path) -> None:
    export_official(tmp_path / "a.pth", small_model(2, in_channels=3))
    assert peek(tmp_path / "a.pth") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x05",
        b"\xff" * 64,
        (2**60).to_bytes(8, "little") + b"{}",
        (9).to_bytes(8, "little") + b'{"a": 1}',
        (2).to_bytes(8, "little") + b"[]",
        (2).to_bytes(8, "little") + b"{}",
    ],
)
def test_damaged_file_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    assert peek(tmp_path / "a.safetensors") is None


@pytest.mark.parametrize("model", ["{}", "not json", json.dumps({"name": "a", "recipe": 3})])
def test_invalid_description_says_nothing(tmp_path: Path, model: str) -> None:
    header = json.dumps({"__metadata__": {"format": "napari-lgmsnet", "model": model}}).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    assert peek(path) is None


def test_missing_file_and_folder_say_nothing(tmp_path: Path) -> None:
    assert peek(tmp_path / "none.safetensors") is None
    assert peek(tmp_path) is None


def test_listing_loads_no_torch() -> None:
    code = (
        "import sys\n"
        "from napari_lgmsnet.core import catalogue, recipes\n"
        "[catalogue.peek(name) for name in catalogue.shipped()]\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_lazy_names_of_the_network() -> None:
    from napari_lgmsnet.core import network

    for name in network.__all__:
        assert getattr(network, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Unknown'"):
        _ = network.Unknown
