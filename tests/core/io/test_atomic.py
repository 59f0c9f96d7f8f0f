import errno
import os
import stat
from pathlib import Path

import pytest

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.io.atomic import atomic_path, ending


@pytest.mark.parametrize("overwrite", [False, True])
def test_new_file_appears_complete_and_alone(tmp_path: Path, overwrite: bool) -> None:
    target = tmp_path / "mask of case 1.nii.gz"
    with atomic_path(target, overwrite) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(".nii.gz")
        temporary.write_bytes(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_failure_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")

    def stopped_by_the_person() -> None:
        with atomic_path(target, overwrite=True) as temporary:
            temporary.write_bytes(b"half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped_by_the_person()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_full_disk_is_said_and_changes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with (
        pytest.raises(InputError, match=r"disk is full.*a\.bin"),
        atomic_path(target, overwrite=True),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_existing_file_is_refused_before_any_work(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(InputError, match="exists already"), atomic_path(target):
        pytest.fail("the block must not run")
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("hard_links", [True, False])
def test_file_that_appears_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard_links: bool
) -> None:
    if not hard_links:
        monkeypatch.setattr(Path, "hardlink_to", _no_hard_links)
    target = tmp_path / "a.bin"

    def race() -> None:
        with atomic_path(target) as temporary:
            temporary.write_bytes(b"mine")
            target.write_bytes(b"another program's")

    with pytest.raises(InputError, match="exists already"):
        race()
    assert target.read_bytes() == b"another program's"
    assert list(tmp_path.iterdir()) == [target]


def test_file_systems_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "hardlink_to", _no_hard_links)
    target = tmp_path / "a.bin"
    with atomic_path(target) as temporary:
        temporary.write_bytes(b"new")
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def _no_hard_links(*_: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def test_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"), atomic_path(tmp_path):
        pytest.fail("the block must not run")
    with pytest.raises(InputError, match="there is no folder"), atomic_path(tmp_path / "x" / "a"):
        pytest.fail("the block must not run")


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "a.bin", tmp_path / "a.bin"
    real.write_bytes(b"old")
    link.symlink_to(real)
    with atomic_path(link, overwrite=True) as temporary:
        temporary.write_bytes(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with atomic_path(tmp_path / "atomic") as temporary:
        temporary.write_bytes(b"new")
    with atomic_path(tmp_path / "replaced") as temporary:
        temporary.unlink()
        temporary.touch(0o600)
    names = ("plain", "atomic", "replaced")
    assert len({stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names}) == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.nii.gz", ".nii.gz"), ("v1.2 b.PNG", ".png"), ("A.NII.GZ", ".nii.gz"), ("none", "")],
)
def test_ending(name: str, expected: str) -> None:
    assert ending(Path(name)) == expected
