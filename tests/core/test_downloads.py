"""Downloads from a local server: verified, complete or not there, and stopped at once."""

import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_lgmsnet.core import downloads, samples
from napari_lgmsnet.core.downloads import Download, cache_folder, fetch
from napari_lgmsnet.core.errors import DownloadError, InputError
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.resources import resource_folder
from napari_lgmsnet.core.types import Progress
from tests.core.server import Server, closed_port, serving, two_samples

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[Server]:
    before = threading.active_count()
    with serving() as one:
        one.files["a.bin"] = CONTENT
        yield one
    deadline = time.monotonic() + 30
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before  # no transfer was left behind


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache of José" / "a.bin"


def wanted(server: Server, target: Path, name: str = "a.bin", sha256: str = SHA256) -> Download:
    return Download(server.url + name, sha256, target)


def left_in(target: Path) -> list[Path]:
    return list(target.parent.iterdir()) if target.parent.exists() else []


def test_complete_and_verified(server: Server, target: Path) -> None:
    steps: list[Progress] = []
    server.slow.add("a.bin")

    def report(step: Progress) -> None:
        steps.append(step)
        if 0 < step.step < len(CONTENT):
            assert not target.exists()
            server.go_on.set()

    assert run(fetch(wanted(server, target)), report) == target
    assert target.read_bytes() == CONTENT
    assert left_in(target) == [target]
    assert {step.total for step in steps} <= {0, len(CONTENT)}
    assert any(0 < step.step < len(CONTENT) for step in steps)


def test_what_is_there_is_not_asked_for_again(server: Server, target: Path) -> None:
    run(fetch(wanted(server, target)))
    run(fetch(wanted(server, target)))
    assert server.asked == ["a.bin"]
    target.write_bytes(b"something else")
    run(fetch(wanted(server, target)))
    assert target.read_bytes() == CONTENT
    # Put there by hand, without any network.
    by_hand = target.with_name("b.bin")
    by_hand.write_bytes(CONTENT)
    assert run(fetch(Download(closed_port(), SHA256, by_hand))) == by_hand


@pytest.mark.parametrize("old", [None, b"an older file"])
def test_wrong_content_is_refused_and_removed(
    server: Server, target: Path, old: bytes | None
) -> None:
    if old is not None:
        target.parent.mkdir()
        target.write_bytes(old)
    server.files["a.bin"] = CONTENT[:-1] + b"x"
    with pytest.raises(DownloadError, match=r"not the expected file.*removed"):
        run(fetch(wanted(server, target)))
    assert left_in(target) == ([] if old is None else [target])
    assert old is None or target.read_bytes() == old


def test_more_than_expected_is_not_taken(server: Server, target: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(downloads, "LARGEST", 1000)
    with pytest.raises(DownloadError, match="more than was expected"):
        run(fetch(wanted(server, target)))
    assert left_in(target) == []


def test_missing_on_the_server(server: Server, target: Path) -> None:
    with pytest.raises(DownloadError, match=r"status 404.*may have moved"):
        run(fetch(wanted(server, target, "b.bin")))
    assert left_in(target) == []


def test_connection_that_breaks_off(server: Server, target: Path) -> None:
    server.cut.add("a.bin")
    with pytest.raises(DownloadError, match="broke off"):
        run(fetch(wanted(server, target)))
    assert left_in(target) == []


def test_offline_says_what_to_do(target: Path) -> None:
    url = f"{closed_port()}a.bin"
    with pytest.raises(DownloadError) as caught:
        run(fetch(Download(url, SHA256, target)))
    text = str(caught.value)
    for words in ('"a.bin" was not downloaded', "no connection to 127.0.0.1", "firewall", url):
        assert words in text
    assert text.endswith(f'put it into the folder "{target.parent}"')
    assert left_in(target) == []


def test_silent_server_is_given_up(target: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(downloads, "LONGEST_SILENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.bin"
        with pytest.raises(DownloadError, match="does not answer"):
            run(fetch(Download(url, SHA256, target)))
    assert left_in(target) == []


def test_stopped_while_the_server_is_silent(server: Server, target: Path) -> None:
    server.slow.add("a.bin")
    job = fetch(wanted(server, target))
    while not next(job).step:
        pass
    job.close()  # returns although the server holds the second half back
    assert not target.exists()
    server.go_on.set()
    deadline = time.monotonic() + 30
    while left_in(target) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert left_in(target) == []


def test_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match=r"cannot be stored in .*file"):
        run(fetch(wanted(server, tmp_path / "file" / "a.bin")))
    assert server.asked == []


# --- samples -----------------------------------------------------------------------------------


@pytest.fixture
def on_server(server: Server, tmp_path: Path, monkeypatch: Any) -> Server:
    """Two samples on the local server, and an empty cache."""
    folder = two_samples(tmp_path, server)
    monkeypatch.setattr(samples, "resource_folder", lambda _name: folder)
    monkeypatch.setattr(samples, "cache_folder", lambda: tmp_path / "cache")
    return server


def test_sample_with_its_reference(on_server: Server, tmp_path: Path) -> None:
    image, reference = run(samples.download("spinal-cord-t2"))
    assert np.array_equal(image.data > 50, reference.data)
    assert np.array_equal(image.affine, reference.affine)
    assert image.spacing == (4, 3, 2)
    folder = tmp_path / "cache" / "samples" / "spinal-cord-t2"
    assert {path.name for path in folder.iterdir()} == {"t2.nii", "t2_seg.nii"}
    assert sorted(on_server.asked) == ["t2.nii", "t2_seg.nii"]


def test_lesion_in_red(on_server: Server) -> None:
    image, reference = run(samples.download("breast-ultrasound"))
    assert (image.axes, reference.axes) == ("YX", "YX")
    expected = np.zeros((20, 30), np.uint8)
    expected[5:9, 7:12] = 1
    assert np.array_equal(reference.data, expected)


def test_grey_mask_has_no_colour(on_server: Server) -> None:
    image, _reference = run(samples.download("breast-ultrasound"))
    with pytest.raises(InputError, match="no colours"):
        samples.labels_of_colour(image, [255, 0, 0])


def test_unknown_sample_names_those_that_exist() -> None:
    with pytest.raises(InputError, match="spinal-cord-t2"):
        samples.downloads_of("lena")


def test_index_pins_every_file() -> None:
    index = json.loads((resource_folder("sample_data") / "index.json").read_text("utf-8"))
    assert {entry["name"] for entry in index["downloads"]} == {
        "spinal-cord-t2",
        "breast-ultrasound",
    }
    for entry in index["downloads"]:
        assert set(entry) - {"reference_colour"} == {
            *("name", "title", "kind", "files", "licence", "source"),
        }
        assert set(entry["files"]) == {"image", "reference"}
        assert entry["licence"] in entry["title"] or entry["licence"].startswith("CC BY 4.0")
        for file in entry["files"].values():
            assert re.fullmatch(r"[0-9a-f]{64}", file["sha256"])
            # A commit, not a branch: what is there does not change.
            place = r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[0-9a-f]{40}/"
            assert re.match(place, file["url"])
    names = [file["name"] for entry in index["downloads"] for file in entry["files"].values()]
    assert len(set(names)) == len(names)


def test_pinned_files_are_those_of_the_data_set(datasets: Path) -> None:
    folder = datasets / "spinal_cord_t2"
    if not folder.is_dir():
        pytest.skip("needs spinal_cord_t2")
    for one in samples.downloads_of("spinal-cord-t2").values():
        content = (folder / one.target.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == one.sha256


def test_cache_lies_in_the_cache_of_the_user() -> None:
    assert cache_folder().name in ("napari-lgmsnet", "Cache")
    for one in samples.downloads_of("spinal-cord-t2").values():
        assert one.target.is_relative_to(cache_folder())
