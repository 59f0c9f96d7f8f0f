"""Masks: stored whole, edited, stored whole again; damage is told and never hidden."""

from __future__ import annotations

import json
import sqlite3
import struct
import zipfile
import zlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from napari_lgmsnet.core.errors import InputError, ProjectError
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.project import Case, Edit, Project
from napari_lgmsnet.core.project.edits import Activity
from tests.core.project.helpers import (
    SHAPE,
    a_prediction,
    add_pictures,
    mask_of,
    store,
    write_picture,
)

FULL = (slice(0, SHAPE[0]), slice(0, SHAPE[1]))


def at(row: int, column: int, new: int = 9, **more: object) -> Edit:
    return Edit((np.array([row]), np.array([column])), new, **more)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a"


@pytest.fixture
def case(folder: Path, tmp_path: Path) -> Case:
    with Project.create(folder) as project:
        (case,) = add_pictures(project, tmp_path)
        store(project, case, a_prediction(), checkpoint="f" * 64, settings={"threshold": 0.5})
    return case


def journals(folder: Path) -> list[Path]:
    return sorted((folder / "journal").iterdir())


def test_a_prediction_becomes_the_mask(folder: Path, case: Case) -> None:
    with Project.open(folder) as project:
        mask = mask_of(project, case)
        assert np.array_equal(mask.labels, a_prediction())
        assert np.array_equal(mask.prediction, a_prediction())
        assert not mask.known.any()
        assert not mask.corrected.any()
        assert (mask.checkpoint, mask.settings) == ("f" * 64, {"threshold": 0.5})
        assert project.cases.get(case.id).state == "predicted"
    # Both are one file: equal content is kept once.
    assert len(list((folder / "labels").glob("*/*.npz"))) == 1


def test_a_case_without_a_mask(folder: Path, case: Case, tmp_path: Path) -> None:
    with Project.open(folder) as project:
        (other,) = add_pictures(project, tmp_path)
        assert not project.labels.has(other.id)
        assert project.labels.read(other.id) is None
        with pytest.raises(ProjectError, match="no mask yet"):
            project.labels.append(other.id, [at(0, 0)])
        with pytest.raises(InputError, match="no mask yet"):
            project.target(other.id)
        with pytest.raises(InputError, match="no case 99"):
            run(project.labels.store(99, labels=a_prediction()))


def test_scribbles_on_an_empty_mask(folder: Path, case: Case, tmp_path: Path) -> None:
    with Project.open(folder) as project:
        (other,) = add_pictures(project, tmp_path)
        run(project.labels.store(other.id, labels=np.zeros(SHAPE, np.uint8)))
        assert project.cases.get(other.id).state == "new"
        project.labels.append(other.id, [at(1, 2, 1), at(3, 4, 0)])
        project.labels.append(
            other.id, [Edit((slice(0, 2), slice(0, 5)), 1, layer="vouched", author="person")]
        )
    with Project.open(folder) as project:
        mask = mask_of(project, other)
        assert mask.prediction is None
        assert mask.corrected.sum() == 1
        assert mask.touched.sum() == 2
        labels, known = project.target(other.id)
        assert known is not None
        assert known.sum() == 11  # ten vouched for, of which one touched; one touched elsewhere
        assert labels[1, 2] == 1
        project.cases.set_state(other.id, "accepted", partial=True)
        assert project.target(other.id)[1] is not None
        project.cases.set_state(other.id, "accepted")
        assert project.target(other.id)[1] is None


@pytest.mark.parametrize("compact", [False, True])
def test_edits_come_back(folder: Path, case: Case, compact: bool) -> None:
    with Project.open(folder) as project:
        last, size = project.labels.append(case.id, [at(0, 0), at(0, 1)])
        assert last == 2
        assert size == sum(path.stat().st_size for path in journals(folder))
        assert project.cases.get(case.id).state == "in correction"
        if compact:
            run(project.labels.compact(case.id))
            assert journals(folder) == []
        assert project.labels.append(case.id, [at(0, 2)])[0] == 3
    with Project.open(folder) as project:
        mask = mask_of(project, case)
        assert mask.sequence == 3
        assert (mask.labels[0, :3] == 9).all()
        assert np.array_equal(np.argwhere(mask.touched), [[0, 0], [0, 1], [0, 2]])
        assert np.array_equal(mask.prediction, a_prediction())
        # Numbers go on where they were, in a journal of its own.
        assert project.labels.append(case.id, [at(0, 3)])[0] == 4
        assert len(journals(folder)) == 2


def test_edits_during_storing_come_after_it(folder: Path, case: Case) -> None:
    with Project.open(folder) as project:
        project.labels.append(case.id, [at(0, 0, 5)])
        job = project.labels.compact(case.id)
        next(job)
        project.labels.append(case.id, [at(0, 1, 6)])
        run(job)
        assert len(journals(folder)) == 1
        assert mask_of(project, case).labels[0, :2].tolist() == [5, 6]
        new = project.labels.store(case.id, prediction=np.full(SHAPE, 7, np.uint8))
        next(new)
        project.labels.append(case.id, [at(0, 2, 8)])
        run(new)
    with Project.open(folder) as project:
        # What was touched is kept from the new prediction.
        mask = mask_of(project, case)
        assert mask.labels[0, :4].tolist() == [5, 6, 8, 7]
        assert mask.sequence == 3


def test_storing_that_is_stopped_changes_nothing(folder: Path, case: Case) -> None:
    with Project.open(folder) as project:
        project.labels.append(case.id, [at(0, 0, 5)])
        job = project.labels.store(case.id, prediction=np.full(SHAPE, 7, np.uint8))
        next(job)
        job.close()
        mask = mask_of(project, case)
        assert mask.labels[0, 0] == 5
        assert np.array_equal(mask.prediction, a_prediction())
        run(project.labels.compact(case.id))  # nothing is locked
        assert journals(folder) == []


def test_larger_labels_need_a_wider_type(folder: Path, case: Case) -> None:
    with Project.open(folder) as project:
        project.labels.append(case.id, [at(0, 0)])
        with pytest.raises(InputError, match="wider type"):
            project.labels.append(case.id, [at(0, 1, 300)])
        wide = mask_of(project, case).labels.astype(np.uint16)
        run(project.labels.store(case.id, labels=wide))
        project.labels.append(case.id, [at(0, 1, 300)])
    with Project.open(folder) as project:
        mask = mask_of(project, case)
        assert mask.labels[0, :2].tolist() == [9, 300]
        assert mask.prediction is not None
        assert mask.prediction.dtype == np.uint16
        assert mask.touched.sum() == 2


def test_another_shape_is_refused(folder: Path, case: Case) -> None:
    with (
        Project.open(folder) as project,
        pytest.raises(InputError, match="same image"),
    ):
        run(project.labels.store(case.id, labels=np.zeros((3, 3), np.uint8)))


def test_a_torn_journal_opens_with_what_is_whole(folder: Path, case: Case) -> None:
    with Project.open(folder) as project:
        project.labels.append(case.id, [at(0, 0), at(0, 1)])
    (path,) = journals(folder)
    whole = path.read_bytes()
    for cut in (1, 10, 40):
        path.write_bytes(whole[:-cut])
        with Project.open(folder, read_only=True) as project:
            mask = mask_of(project, case)
            assert (mask.sequence, mask.damage) == (1, ())
            assert mask.torn_bytes > 0
            assert mask.labels[0, 0] == 9
            assert mask.labels[0, 1] == a_prediction()[0, 1]
    with Project.open(folder) as project:
        project.labels.append(case.id, [at(0, 2)])
    assert path.read_bytes() == whole[:-40], "an old journal was written to"
    with Project.open(folder) as project:
        assert mask_of(project, case).sequence == 2
        assert mask_of(project, case).labels[0, 2] == 9


def test_a_damaged_journal_is_told_and_kept(folder: Path, case: Case) -> None:
    with Project.open(folder) as project:
        for column in range(4):
            project.labels.append(case.id, [at(0, column)])
    (path,) = journals(folder)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    path.write_bytes(whole)
    with Project.open(folder) as project:
        mask = mask_of(project, case)
        assert len(mask.damage) == 2
        assert "is damaged at byte" in mask.damage[0]
        assert "misses edits" in mask.damage[1]
        assert (mask.labels[0, :4] == 9).sum() >= 3
        run(project.labels.compact(case.id))
    assert journals(folder) == []
    (kept,) = (folder / "trash").glob("*/*.journal")
    assert kept.read_bytes() == whole


def test_a_damaged_or_missing_file_is_an_error(folder: Path, case: Case) -> None:
    (path,) = (folder / "labels").glob("*/*.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    with Project.open(folder) as project, pytest.raises(ProjectError, match="is damaged"):
        project.labels.read(case.id)
    path.unlink()
    with Project.open(folder) as project:
        with pytest.raises(ProjectError, match="is missing: put back a copy"):
            project.labels.read(case.id)
        # Storing must not pass over what is missing either.
        with pytest.raises(ProjectError, match="is missing"):
            run(project.labels.store(case.id, touched=np.zeros(SHAPE, bool)))
        project.discard_mask(case.id)
        assert project.cases.get(case.id).state == "new"
        store(project, case, a_prediction(5))
        assert np.array_equal(mask_of(project, case).labels, a_prediction(5))


def test_a_discarded_mask_is_in_the_trash(folder: Path, case: Case) -> None:
    with Project.open(folder) as project:
        project.labels.append(case.id, [at(0, 0)])
        project.cases.set_state(case.id, "accepted")
        project.discard_mask(case.id)
        assert not project.labels.has(case.id)
        assert project.cases.get(case.id).state == "new"
        assert journals(folder) == []
        assert len(list((folder / "trash").glob("*/*"))) == 2
        store(project, case, a_prediction())
        assert mask_of(project, case).sequence == 0
        assert not mask_of(project, case).touched.any()


def test_edits_of_a_discarded_mask_do_not_come_back(folder: Path, case: Case) -> None:
    """As if the program was stopped between the row and the files."""
    with Project.open(folder) as project:
        project.labels.append(case.id, [at(0, 0)])
    with closing(sqlite3.connect(folder / "project.sqlite")) as connection:
        connection.execute("DELETE FROM labels")
        connection.commit()
    with Project.open(folder) as project:
        store(project, case, a_prediction(5))
        project.labels.append(case.id, [at(0, 1)])
    with Project.open(folder) as project:
        expected = a_prediction(5)
        expected[0, 1] = 9
        assert np.array_equal(mask_of(project, case).labels, expected)
    assert len(list((folder / "trash").glob("*/*.journal"))) == 1


def test_the_ledger_counts_before_and_after_storing(folder: Path, case: Case) -> None:
    with Project.open(folder) as project:
        old = a_prediction()[0, :1]
        project.labels.append(
            case.id, [at(0, 0, 9, old=old, strokes=1)], Activity(seconds=30, clicks=2)
        )
        (before,) = project.ledger()
        run(project.labels.compact(case.id))
        assert project.ledger() == [before]
        project.labels.append(case.id, [at(0, 0, 8, strokes=1)], Activity(seconds=60))
        (both,) = project.ledger()
    with Project.open(folder) as project:
        assert project.ledger() == [both]
        project.labels.append(case.id, [at(0, 0, 7)])
        run(project.tidy())
        rows = project.ledger()
    assert (before.voxels_changed, before.strokes, before.clicks, before.minutes) == (1, 1, 2, 0.5)
    assert (both.voxels_changed, both.strokes, both.clicks, both.minutes) == (2, 2, 2, 1.5)
    assert both.checkpoint_sha256 == "f" * 64
    assert both.started == before.started
    assert both.ended >= before.ended
    assert [row.voxels_changed for row in rows] == [2, 1]
    assert len({row.session for row in rows}) == 2


def test_tidying_removes_what_nothing_needs(
    folder: Path, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Project.open(folder) as project:
        for number in range(3):
            project.labels.append(case.id, [at(0, number)])
            run(project.labels.compact(case.id))
        before = mask_of(project, case)
        (folder / "labels" / "ab").mkdir(exist_ok=True)
        left = folder / "labels" / "ab" / ".0123456789abcdef.npz"
        left.write_bytes(b"half a file")
        run(project.tidy())
        assert left.exists(), "what is young may be in use"
        monkeypatch.setattr("napari_lgmsnet.core.project.tidy.YOUNG", 0.0)
        run(project.tidy())
        assert len(list((folder / "labels").glob("*/*"))) == 3  # labels, prediction, touched
        assert not left.exists()
        after = mask_of(project, case)
    for layer in ("labels", "prediction", "touched", "vouched"):
        assert np.array_equal(getattr(before, layer), getattr(after, layer))


def test_a_removed_case_goes_to_the_trash(folder: Path, case: Case, tmp_path: Path) -> None:
    with Project.open(folder) as project:
        (other,) = add_pictures(project, tmp_path)
        store(project, other, a_prediction())  # shares its file
        project.labels.append(case.id, [at(0, 0)])
        run(project.labels.compact(case.id))
        project.labels.append(case.id, [at(0, 1)])
        project.remove_case(case.id)
        assert [one.id for one in project.cases.all()] == [other.id]
        assert np.array_equal(mask_of(project, other).labels, a_prediction())
        assert journals(folder) == []
        assert len(list((folder / "trash").glob("*/*"))) == 3  # labels, touched, a journal
        with pytest.raises(InputError, match="no case"):
            project.remove_case(case.id)
        assert project.empty_trash() == 3
        assert not (folder / "trash").exists()
        # Its number is not used again, its journals would be taken for the new one's.
        (new,) = run(project.add([write_picture(tmp_path / "more.png", 77)])).cases
        assert new.id > other.id


def test_the_files_can_be_read_without_this_program(folder: Path, case: Case) -> None:
    """As docs/project-format.md tells it, with nothing but numpy and the standard library."""
    with Project.open(folder) as project:
        project.labels.append(case.id, [Edit((np.array([2, 2, 5]), np.array([3, 4, 0])), 7)])
        expected = mask_of(project, case)
        name = project.labels.stored(case.id)
    assert name is not None
    path = folder / "labels" / name.files["labels"][:2] / f"{name.files['labels']}.npz"
    labels = np.load(path)["data"]
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["data.npy"]
    (journal,) = journals(folder)
    data = journal.read_bytes()
    place = 0
    while place < len(data):
        magic, crc, length, number, _ = struct.unpack_from("<4sIQQI", data, place)
        content = data[place + 28 : place + 28 + length]
        assert magic == b"LGJ1"
        assert zlib.crc32(content) == crc
        place += 28 + length
        (head_length,) = struct.unpack_from("<I", content)
        head = json.loads(content[4 : 4 + head_length])
        if number == 0:
            assert head["case"] == case.id
            continue
        arrays = zlib.decompress(content[4 + head_length :])
        runs = head["runs"]
        starts = np.cumsum(np.frombuffer(arrays, "<i8", runs))
        lengths = np.frombuffer(arrays, "<i8", runs, 8 * runs)
        values = np.frombuffer(arrays, head["dtype"], offset=16 * runs)
        flat = np.concatenate([np.arange(a, a + n) for a, n in zip(starts, lengths, strict=True)])
        labels.reshape(-1)[flat] = values
    assert np.array_equal(labels, expected.labels)
