"""What a person may give as an input."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from napari_lgmsnet.core.batch import find_inputs
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.headless import RECORDS


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4)).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a [1].png", "deep/er/c.tif", ".hidden/d.png"):
        picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def places(found: list) -> dict[str, str]:
    return {one.path.name: one.place.as_posix() for one in found}


def test_a_folder_means_all_images_in_it_and_keeps_their_places(folder: Path) -> None:
    assert places(find_inputs([folder])) == {"a [1].png": ".", "b.png": ".", "c.tif": "deep/er"}


def test_a_pattern_means_what_it_matches(folder: Path) -> None:
    assert places(find_inputs([f"{folder}/**/*.tif"])) == {"c.tif": "."}
    assert len(find_inputs([f"{folder}/*", f"{folder}/b.png"])) == 2  # each once
    with pytest.raises(InputError, match="holds no image"):
        find_inputs([f"{folder}/*.nii"])


def test_a_name_with_brackets_is_a_name(folder: Path) -> None:
    assert places(find_inputs([folder / "a [1].png"])) == {"a [1].png": "."}


def test_a_table_names_paths_from_where_it_lies(folder: Path) -> None:
    table = folder / "deep" / "cases.csv"
    table.write_text(f"id,image\n1,../b.png\n\n2,{folder / 'deep' / 'er' / 'c.tif'}\n")
    found = [one.path.resolve() for one in find_inputs([table])]
    assert found == [folder / "b.png", folder / "deep" / "er" / "c.tif"]
    table.write_text("id,picture\n1,../b.png\n")
    with pytest.raises(InputError, match='name one of them "image"'):
        find_inputs([table])
    table.write_text("id,image\n1,\n")
    with pytest.raises(InputError, match='row without "image"'):
        find_inputs([table])


def test_masks_of_an_earlier_run_are_no_inputs(folder: Path) -> None:
    for name in ("b_mask.png", "b_probability.tif", "own_mask.png"):
        picture(folder / name)
    picture(folder / RECORDS / "unused.png").with_name("b_mask.png.json").write_text("{}")
    assert set(places(find_inputs([f"{folder}/*"]))) == {"a [1].png", "b.png", "own_mask.png"}
    assert "b_mask.png" not in places(find_inputs([folder]))
