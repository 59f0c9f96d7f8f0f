"""What comes out of a project: training folders, ledgers, reports of what is wrong."""

from __future__ import annotations

import csv
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_lgmsnet.core.checkpoints import save
from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.io import read, read_labels
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.project import (
    Case,
    Edit,
    LedgerRow,
    Project,
    Source,
    export_cases,
    snapshots,
    verify,
    write_ledger,
)
from napari_lgmsnet.core.project.journal import scan
from napari_lgmsnet.core.training.config import DataConfig
from napari_lgmsnet.core.training.data import list_cases, load_case
from tests.core import dicoms
from tests.core.helpers import small_model
from tests.core.project.helpers import (
    SHAPE,
    a_prediction,
    add_pictures,
    mask_of,
    store,
    write_picture,
)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "project") as project:
        yield project


@pytest.fixture
def cases(project: Project, tmp_path: Path) -> list[Case]:
    """Five accepted cases, of which the second is partial."""
    cases = add_pictures(project, tmp_path / "images", 5)
    for case in cases:
        store(project, case, a_prediction(case.id))
        project.cases.set_state(case.id, "accepted", partial=case is cases[1])
    return cases


def test_training_reads_what_is_exported(
    project: Project, cases: list[Case], tmp_path: Path
) -> None:
    box = (slice(0, 4), slice(0, 5))
    run(project.labels.store(cases[1].id, vouched=np.zeros(SHAPE, bool)))
    project.labels.append(cases[1].id, [Edit(box, 1, layer="vouched", author="network")])
    target = tmp_path / "training"
    done = run(export_cases(project, target, validation=0.4))
    assert (len(done.train), len(done.validation), done.problems) == (3, 2, ())
    assert done.partial == ("picture 1",)
    config = DataConfig()
    info = small_model(2, out_channels=3).info
    found = []
    for name in ("train.txt", "val.txt"):
        for files in list_cases(target, config, name):
            found.append(files.name)
            load_case(files, config, info)
    assert sorted(found) == [f"picture {number}" for number in range(5)]
    for case in cases:
        image = target / "images" / f"{case.name}.png"
        assert image.read_bytes() == case.source.path.read_bytes()
        mask = read_labels(target / "masks" / f"{case.name}.png")
        assert np.array_equal(mask.data, a_prediction(case.id))
    ignored = read_labels(target / "ignore" / "picture 1.png").data
    assert set(np.unique(ignored)) == {0, 1}
    assert (ignored == 0).sum() == 20
    assert (ignored[box] == 0).all()
    # The content decides who validates: the same again, whatever the order and the names.
    project.cases.reorder([case.id for case in reversed(cases)])
    again = run(export_cases(project, tmp_path / "again", validation=0.4))
    assert set(again.validation) == set(done.validation)


def test_exports_refuse_what_would_be_lost(
    project: Project, cases: list[Case], tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious.txt").write_text("x")
    with pytest.raises(InputError, match="not empty"):
        run(export_cases(project, tmp_path / "full"))
    with pytest.raises(InputError, match="no share"):
        run(export_cases(project, tmp_path / "new", validation=1.0))
    for case in cases:
        project.cases.set_state(case.id, "in correction")
    with pytest.raises(InputError, match="no case is accepted"):
        run(export_cases(project, tmp_path / "new"))
    assert not (tmp_path / "new").exists()
    one = run(export_cases(project, tmp_path / "full", case_ids=[cases[0].id], overwrite=True))
    assert (one.train, one.validation) == (("picture 0",), ())


def test_one_missing_image_does_not_stop_the_export(
    project: Project, cases: list[Case], tmp_path: Path
) -> None:
    cases[2].source.path.unlink()
    done = run(export_cases(project, tmp_path / "out"))
    assert len(done.train) + len(done.validation) == 4
    assert [name for name, _ in done.problems] == ["picture 2"]
    assert "say where it is" in done.problems[0][1]


def test_equal_and_impossible_names_are_told_apart(
    project: Project, cases: list[Case], tmp_path: Path
) -> None:
    for case, name in zip(cases, ("a/b", "A_B", "...", "x.y", "x.y"), strict=True):
        project.cases.rename(case.id, name)
    done = run(export_cases(project, tmp_path / "out"))
    expected = {"a_b", f"A_B-{cases[1].id}", "case", "x.y", f"x.y-{cases[4].id}"}
    assert {*done.train, *done.validation} == expected
    files = list_cases(tmp_path / "out", DataConfig(), "train.txt")
    assert len(files) == len(done.train)


def test_volumes_keep_their_place(project: Project, tmp_path: Path) -> None:
    affine = np.array([[-0.9, 0.1, 0, 5], [0.1, 1.1, 0, 6], [0, 0, 2.5, 7], [0, 0, 0, 1.0]])
    nifti = nib.Nifti1Image(np.random.default_rng(0).normal(size=(6, 5, 4)), affine)
    nib.save(nifti, tmp_path / "scan.nii.gz")
    pixels = dicoms.volume_numbers((4, 5, 6))
    dicoms.series(tmp_path / "series", pixels)
    added = run(project.add([tmp_path / "scan.nii.gz", tmp_path / "series"]))
    for case in added.cases:
        store(project, case, a_prediction(case.id, (4, 5, 6)))
        project.cases.set_state(case.id, "accepted")
    target = tmp_path / "out"
    assert run(export_cases(project, target)).problems == ()
    for case in added.cases:
        image = read(target / "images" / f"{case.name}.nii.gz")
        mask = read_labels(target / "masks" / f"{case.name}.nii.gz")
        original = case.source.read()
        for volume in (image, mask):
            assert np.allclose(volume.affine, original.affine, atol=1e-5)
        assert np.array_equal(image.data, original.data)
        assert np.array_equal(mask.data, a_prediction(case.id, (4, 5, 6)))
    for path in target.rglob("*"):
        if path.is_file() and path.parent.name != "images":
            assert not any(secret in str(path) for secret in dicoms.SECRETS)


def test_the_ledger_is_a_table(project: Project, cases: list[Case], tmp_path: Path) -> None:
    project.cases.rename(cases[0].id, 'quoted "name", with comma')
    where = (np.array([0, 0]), np.array([0, 1]))
    project.labels.append(cases[0].id, [Edit(where, 9, strokes=1)])
    rows = project.ledger()
    write_ledger(tmp_path / "ledger.csv", rows)
    with (tmp_path / "ledger.csv").open(encoding="utf-8", newline="") as file:
        (read_back,) = csv.DictReader(file)
    assert list(read_back) == list(LedgerRow.__dataclass_fields__)
    assert read_back == {name: str(value) for name, value in vars(rows[0]).items()}
    assert (rows[0].voxels_changed, rows[0].state) == (2, "in correction")
    with pytest.raises(InputError, match="exists already"):
        write_ledger(tmp_path / "ledger.csv", rows)


def contents_of(folder: Path) -> dict[Path, bytes]:
    """Return all files, but what SQLite shares between programs in memory."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in files if not path.name.endswith("-shm")}


def _cut_journal(project: Project, cases: list[Case]) -> None:
    (path,) = (project.folder / "journal").iterdir()
    path.write_bytes(path.read_bytes()[:-5])


def _damage_journal(project: Project, cases: list[Case]) -> None:
    (path,) = (project.folder / "journal").iterdir()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _file_of(project: Project, case: Case, layer: str) -> Path:
    stored = project.labels.stored(case.id)
    assert stored is not None
    return snapshots.path_of(project.folder / "labels", stored.files[layer])


def _change_row(statement: str) -> Callable[[Project, list[Case]], None]:
    def change(project: Project, cases: list[Case]) -> None:
        with closing(sqlite3.connect(project.folder / "project.sqlite")) as connection:
            connection.execute(statement)
            connection.commit()

    return change


def _checkpoint(project: Project) -> Path:
    return project.checkpoints.path(project.checkpoints.all()[0].sha256)


DAMAGES: dict[str, tuple[Callable[[Project, list[Case]], object], str, str]] = {
    "image gone": (lambda p, c: c[0].source.path.unlink(), "error", "say where it is now"),
    "image changed": (lambda p, c: write_picture(c[0].source.path, 77), "error", "not the image"),
    "mask gone": (lambda p, c: _file_of(p, c[1], "labels").unlink(), "error", "is missing"),
    "mask changed": (
        lambda p, c: _file_of(p, c[1], "labels").write_bytes(b"x"), "error", "is damaged",
    ),
    "mask of another shape": (
        _change_row("UPDATE labels SET shape = '[3, 3]' WHERE case_id = 2"), "error", "shape",
    ),
    "no mask": (_change_row("DELETE FROM labels WHERE case_id = 3"), "error", "has no mask"),
    "state without history": (
        _change_row("DELETE FROM state_changes WHERE case_id = 3"), "error", "history",
    ),
    "journal cut": (_cut_journal, "note", "cut off"),
    "journal damaged": (_damage_journal, "error", "is damaged at byte"),
    "journal of nobody": (
        lambda p, c: (p.folder / "journal" / "000099-000001.journal").touch(), "note", "nothing",
    ),
    "mask of nobody": (
        lambda p, c: shutil.copy(_file_of(p, c[0], "labels"), p.folder / "labels" / "00" / "0.npz")
        if (p.folder / "labels" / "00").mkdir(exist_ok=True) is None else None,
        "note", "nothing needs",
    ),
    "checkpoint gone": (lambda p, c: _checkpoint(p).unlink(), "error", "is not in this project"),
    "checkpoint changed": (
        lambda p, c: _checkpoint(p).write_bytes(b"x"), "error", "is damaged",
    ),
    "checkpoint of nobody": (
        lambda p, c: (p.folder / "checkpoints" / "x.safetensors").touch(), "note", "nothing needs",
    ),
    "checkpoint in use unknown": (
        _change_row("INSERT OR REPLACE INTO facts VALUES ('checkpoint', 'zz')"),
        "error", "not in the list",
    ),
    "row without its case": (
        _change_row("INSERT INTO corrections VALUES (88, 's', '', 't', 't', 0, 0, 0, 0.0)"),
        "error", "that is missing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_verify_finds_it_and_repairs_nothing(
    project: Project, cases: list[Case], tmp_path: Path, damage: str
) -> None:
    save(tmp_path / "c.safetensors", small_model(2))
    project.checkpoints.add(tmp_path / "c.safetensors")
    for column in range(3):
        where = (np.array([0]), np.array([column]))
        project.labels.append(cases[4].id, [Edit(where, 9)])
    assert run(verify(project, images=True)) == []
    inflict, severity, words = DAMAGES[damage]
    inflict(project, cases)
    before = contents_of(project.folder)
    with Project.open(project.folder, read_only=True) as second:
        problems = run(verify(second))
    assert contents_of(project.folder) == before
    assert problems
    assert problems[0].severity == severity
    assert any(words in one.what for one in problems), problems


def test_verify_reads_images_whole_when_asked(project: Project, tmp_path: Path) -> None:
    data = bytearray(3 * 2**20)
    path = tmp_path / "large.nii"
    path.write_bytes(data)
    (case,) = run(project.add([Source(path)])).cases
    run(project.cases.hash(case))
    data[2**17] = 1  # between the samples
    path.write_bytes(data)
    assert run(verify(project)) == []
    (problem,) = run(verify(project, images=True))
    assert "not the one that was added" in problem.what


NAMES = ("Mustermann", "MUSTERMANN^ERIKA")


def everything_in(folder: Path) -> bytes:
    """Return all that is in a project's files, unpacked."""
    found = []
    for path in sorted(folder.rglob("*")):
        found.append(path.name.encode())
        if path.is_file():
            found.append(path.read_bytes())
        if path.suffix == ".journal":
            found += [content for _, content in scan(path).records]
        if path.suffix == ".npz":
            found.append(np.load(path)["data"].tobytes())
    return b"\n".join(found)


def test_nobody_s_name_gets_into_the_project(project: Project, tmp_path: Path) -> None:
    nifti = nib.Nifti1Image(np.zeros((6, 5, 4), np.int16), np.eye(4))
    nifti.header["descrip"] = NAMES[0].encode()
    nifti.header["db_name"] = NAMES[1].encode()
    nib.save(nifti, tmp_path / "scan.nii")
    assert NAMES[0].encode() in (tmp_path / "scan.nii").read_bytes()
    dicoms.series(tmp_path / "series", dicoms.volume_numbers((4, 5, 6)))
    save(tmp_path / "c.safetensors", small_model(3))
    project.checkpoints.add(tmp_path / "c.safetensors")
    added = run(project.add([tmp_path / "scan.nii", tmp_path / "series"]))
    assert len(added.cases) == 2
    for case in added.cases:
        volume = case.source.read()
        store(project, case, a_prediction(0, volume.spatial_shape))
        where = (np.array([0]), np.array([0]), np.array([0]))
        project.labels.append(case.id, [Edit(where, 9)])
        run(project.cases.hash(case))
        project.cases.set_doubt(case.id, 0.5)
    project.set_view({"case": added.cases[0].id})
    for tidy in (False, True):
        if tidy:
            run(project.tidy())
        content = everything_in(project.folder)
        for name in (*NAMES, *dicoms.SECRETS):
            for encoding in ("utf-8", "utf-16-le"):
                assert name.encode(encoding) not in content
                assert name.lower().encode(encoding) not in content.lower()
    assert mask_of(project, added.cases[0]).labels[0, 0, 0] == 9
