"""Cases: added, recognised, ordered, moved through their states, found again."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.project import FOLLOWERS, Case, Project, Source
from napari_lgmsnet.core.project.sources import fingerprint, hash_source, relative_to
from tests.core import dicoms
from tests.core.project.helpers import add_pictures, write_picture


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "project") as project:
        yield project


def names(cases: list[Case]) -> list[str]:
    return [case.name for case in cases]


def test_folders_are_searched_and_other_files_left(project: Project, tmp_path: Path) -> None:
    every = ("b.png", "a.PNG", "inside/c.png", "inside/deep/d.png", ".hidden/e.png", ".f.png")
    for number, name in enumerate(every):
        write_picture(tmp_path / "images" / name, number)
    (tmp_path / "images" / "notes.txt").write_text("none")
    (tmp_path / "images" / "model.safetensors").write_bytes(b"none")
    added = run(project.add([tmp_path / "images"]))
    assert names(list(added.cases)) == ["a", "b", "c", "d"]
    assert added.problems == ()
    assert all(case.state == "new" for case in added.cases)


def test_the_project_itself_holds_no_images(project: Project, tmp_path: Path) -> None:
    write_picture(project.folder / "trash" / "old.png", 1)
    write_picture(tmp_path / "new.png", 2)
    assert names(list(run(project.add([tmp_path])).cases)) == ["new"]


def test_the_same_image_is_there_once(project: Project, tmp_path: Path) -> None:
    (case,) = add_pictures(project, tmp_path)
    copy = tmp_path / "copy of it.png"
    shutil.copy(case.source.path, copy)
    new = [write_picture(tmp_path / f"{name}.png", 500) for name in ("x", "y")]
    added = run(project.add([copy, case.source.path, *new, new[0]]))
    assert names(list(added.cases)) == ["x"]
    assert [(path.name, one.name) for path, one in added.known] == [
        ("copy of it.png", "picture 0"),
        ("picture 0.png", "picture 0"),
        ("y.png", "x"),
    ]


def test_images_that_only_seem_to_be_the_same(project: Project, tmp_path: Path) -> None:
    """Beginning, end and samples agree; the whole differs between the samples."""
    data = bytearray(3 * 2**20)
    for name, byte in (("a.nii", 0), ("b.nii", 1)):
        data[2**17] = byte
        (tmp_path / name).write_bytes(data)
    one, other = (Source(tmp_path / name) for name in ("a.nii", "b.nii"))
    assert fingerprint(one) == fingerprint(other)
    added = run(project.add([one, other]))
    assert names(list(added.cases)) == ["a", "b"]


def test_one_bad_path_does_not_stop_the_rest(project: Project, tmp_path: Path) -> None:
    good = write_picture(tmp_path / "good.png", 1)
    added = run(project.add([tmp_path / "missing.png", good]))
    assert names(list(added.cases)) == ["good"]
    assert [path.name for path, _ in added.problems] == ["missing.png"]
    assert "moved or deleted" in added.problems[0][1]


def test_adding_that_is_stopped_adds_nothing(project: Project, tmp_path: Path) -> None:
    for number in range(5):
        write_picture(tmp_path / "images" / f"{number}.png", number)
    job = project.add([tmp_path / "images"])
    for _ in range(8):
        next(job)
    job.close()
    assert project.cases.all() == []


def test_the_hash_is_that_of_the_file(project: Project, tmp_path: Path) -> None:
    (case,) = add_pictures(project, tmp_path)
    expected = hashlib.sha256(case.source.path.read_bytes()).hexdigest()
    assert case.sha256 == ""
    assert run(project.cases.hash(case)) == expected
    assert project.cases.get(case.id).sha256 == expected
    write_picture(case.source.path, 99)
    assert project.cases.presence(case) == "changed"
    with pytest.raises(InputError, match="not the one that was added"):
        run(project.cases.hash(case))


def test_two_file_images_zarr_and_folders_hash_all_of_their_files(tmp_path: Path) -> None:
    header = tmp_path / "a.mhd"
    header.write_text(
        "ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\n"
        "ElementDataFile = a.raw\n"
    )
    (tmp_path / "a.raw").write_bytes(bytes(8))
    source = Source(header)
    assert [path.name for path in source.files()] == ["a.mhd", "a.raw"]
    before = run(hash_source(source))
    (tmp_path / "a.raw").write_bytes(bytes(7) + b"x")
    assert run(hash_source(source)) != before

    folder = tmp_path / "b.zarr"
    (folder / "0").mkdir(parents=True)
    (folder / ".zattrs").write_text("{}")
    (folder / "0" / "0.0").write_bytes(b"chunk")
    whole = Source(folder, "folder")
    assert len(whole.files()) == 2
    expected = hashlib.sha256(
        "\n".join(sorted(hashlib.sha256(x).hexdigest() for x in (b"{}", b"chunk"))).encode()
    ).hexdigest()
    assert run(hash_source(whole)) == expected


def test_dicom_series_are_cases(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    for number in (1, 2):
        pixels = dicoms.volume_numbers((3 + number, 4, 5))
        uid = f"1.2.3.{number}"
        dicoms.series(
            folder / f"series {number}", pixels, SeriesInstanceUID=uid, SeriesNumber=number
        )
    write_picture(folder / "photo.png", 3)
    added = run(project.add([folder]))
    assert added.problems == ()
    assert names(list(added.cases)) == ["photo", "series 1 CT 1", "series 2 CT 2"]
    series = added.cases[1:]
    assert [case.source.kind for case in series] == ["dicom", "dicom"]
    assert [case.source.series_uid for case in series] == ["1.2.3.1", "1.2.3.2"]
    assert [len(case.source.files()) for case in series] == [4, 5]
    assert [case.source.read().data.shape for case in series] == [(4, 4, 5), (5, 4, 5)]
    assert len({run(project.cases.hash(case)) for case in series}) == 2
    # Moved: one is found by its series, in a folder of another name.
    (folder / "series 1").rename(tmp_path / "elsewhere")
    assert project.cases.presence(project.cases.get(series[0].id)) == "missing"
    found = run(project.relocate([series[0].id], tmp_path))
    assert list(found) == [series[0].id]
    moved = project.cases.get(series[0].id)
    assert moved.source.path == tmp_path / "elsewhere"
    assert project.cases.presence(moved) == "there"


def test_states_follow_the_table_and_nothing_else(project: Project, tmp_path: Path) -> None:
    (case,) = add_pictures(project, tmp_path)
    paths = {"new": []}
    while len(paths) < len(FOLLOWERS):
        for state, path in list(paths.items()):
            for follower in FOLLOWERS[state]:
                paths.setdefault(follower, [*path, follower])
    for state, path in paths.items():
        for wanted in FOLLOWERS:
            (one,) = add_pictures(project, tmp_path)
            for step in path:
                project.cases.set_state(one.id, step)
            before = project.cases.history(one.id)
            if wanted == state or wanted in FOLLOWERS[state]:
                assert project.cases.set_state(one.id, wanted).state == wanted
                grown = project.cases.history(one.id)
                assert grown[: len(before)] == before
                assert len(grown) == len(before) + (wanted != state)
                times = [at for _, at in grown]
                assert times == sorted(times)
                assert all(at.endswith("Z") for at in times)
            else:
                with pytest.raises(InputError, match=f'cannot become "{wanted}"'):
                    project.cases.set_state(one.id, wanted)
                assert project.cases.history(one.id) == before
    with pytest.raises(InputError, match="no state"):
        project.cases.set_state(case.id, "done")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no case 9999"):
        project.cases.set_state(9999, "rejected")


def test_walking_through_the_cases(project: Project, tmp_path: Path) -> None:
    a, b, c, d = (case.id for case in add_pictures(project, tmp_path, 4))
    project.cases.set_doubt(b, 0.9)
    project.cases.set_doubt(d, 0.3)
    project.cases.set_state(c, "rejected")

    def after(case_id: int | None, **choice: object) -> int | None:
        case = project.cases.next(case_id, **choice)  # type: ignore[arg-type]
        return None if case is None else case.id

    assert [after(None), after(a), after(d)] == [a, b, None]
    assert [after(None, step=-1), after(a, step=-1), after(c, step=-1)] == [d, None, b]
    # The case on screen need not be among those that are asked for.
    assert after(a, states=["rejected"]) == c
    assert after(c, states=["new"]) == d
    assert after(c, states=["new"], step=-1) == b
    assert after(a, min_doubt=0.5) == b
    assert after(b, min_doubt=0.5) is None
    assert after(None, order="doubt") == b
    assert after(b, order="doubt") == d
    assert [case.id for case in project.cases.all(order="doubt")] == [b, d, a, c]
    assert [case.id for case in project.cases.all(min_doubt=0.3)] == [b, d]
    project.cases.reorder([d, b])
    assert [case.id for case in project.cases.all()] == [d, b, a, c]
    assert after(b) == a
    assert project.cases.count() == {
        "new": 3, "predicted": 0, "in correction": 0, "accepted": 0, "rejected": 1,
    }  # fmt: skip
    with pytest.raises(InputError, match="no case 77"):
        after(77)


def test_names_and_notes(project: Project, tmp_path: Path) -> None:
    (case,) = add_pictures(project, tmp_path)
    project.cases.rename(case.id, "  the odd one ")
    project.cases.set_note(case.id, "ask again: Ä, 腫瘍")
    project.cases.set_doubt(case.id, None)
    with pytest.raises(InputError, match="needs a name"):
        project.cases.rename(case.id, " ")
    same = project.cases.get(case.id)
    assert (same.name, same.note, same.doubt) == ("the odd one", "ask again: Ä, 腫瘍", None)
    assert same.source == case.source


@pytest.mark.parametrize("hashed", [False, True])
def test_moved_images_are_found_by_their_content(
    project: Project, tmp_path: Path, hashed: bool
) -> None:
    cases = add_pictures(project, tmp_path / "images", 4)
    if hashed:
        for case in cases:
            run(project.cases.hash(case))
    target = tmp_path / "archive" / "2026"
    target.mkdir(parents=True)
    for number, case in enumerate(cases[:3]):
        case.source.path.rename(target / f"renamed {number}.png")
    # Of the same size, and something else.
    size = (target / "renamed 2.png").stat().st_size
    (target / "renamed 2.png").write_bytes(bytes(size))
    missing = [case for case in project.cases.all() if project.cases.presence(case) == "missing"]
    assert [case.id for case in missing] == [case.id for case in cases[:3]]
    found = run(project.relocate([case.id for case in missing], tmp_path / "archive"))
    assert {number: source.path.name for number, source in found.items()} == {
        cases[0].id: "renamed 0.png",
        cases[1].id: "renamed 1.png",
    }
    with Project.open(project.folder, read_only=True) as again:
        here = [again.cases.presence(case) for case in again.cases.all()]
    assert here == ["there", "there", "missing", "there"]


def test_paths_near_the_project_are_relative(tmp_path: Path) -> None:
    project = tmp_path / "a" / "b" / "project"
    assert relative_to(project / "x.png", project) == "x.png"
    assert relative_to(tmp_path / "a" / "images" / "x.png", project) == "../../images/x.png"
    far = tmp_path / "1" / "2" / "3" / "4" / "5"
    assert relative_to(tmp_path / "x.png", far) is None


def test_a_lone_source_keeps_its_hash_whatever_it_is_called(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for size in (0, 1, 2**16, 2**16 + 1, 2**19, 2**19 + 5, 2**21):
        data = rng.bytes(size)
        path = tmp_path / f"{size}.png"
        path.write_bytes(data)
        expected = hashlib.sha256(data).hexdigest()
        assert run(hash_source(Source(path))) == expected
        found = fingerprint(Source(path))
        assert found.size == size
        # Files up to eight samples are read whole.
        assert (found.digest == expected) == (size <= 2**19)
