"""The command line on folders of DICOM, and what of the patient gets out: nothing."""

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom import config, dcmread
from tests.core.dicoms import (
    BIRTH_DATE,
    FIRST_NAME,
    MR,
    NAME,
    NUMBER,
    SECRETS,
    save,
    series,
    slice_of,
)
from tests.core.helpers import small_model

from napari_lgmsnet.cli import main
from napari_lgmsnet.core.checkpoints import save as save_checkpoint
from napari_lgmsnet.core.errors import LGMSNetError
from napari_lgmsnet.core.io import dicom, read, read_labels, write, write_labels
from napari_lgmsnet.core.types import Volume

GENERATOR = np.random.default_rng(1)
PIXELS = GENERATOR.integers(-200, 300, (9, 34, 36)).astype(np.int16)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "volume.safetensors"
    save_checkpoint(path, small_model(3, out_channels=3, orientation="RAS"))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A CT and an MR series, in a folder with a dot in its name."""
    series(tmp_path / "study.1" / "ct", PIXELS)
    other = {"SeriesInstanceUID": "1.2.9", "SeriesNumber": 8, "Modality": "MR", "kind": MR}
    series(tmp_path / "study.1" / "mr", PIXELS[:4], SeriesDescription="T2 axial", **other)
    return tmp_path / "study.1"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run the command line in this process; return its exit code, and all that it printed."""

    def run_it(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as done:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return int(done.value.code or 0), printed.out + printed.err

    return run_it


def test_describe_lists_the_series(folder: Path, run: Callable[..., tuple[int, str]]) -> None:
    (folder / "notes.txt").write_text("x")
    code, text = run("describe", folder)
    assert code == 0
    first, second, note = text.strip().splitlines()
    assert first == "3: CT, CT series 3, 36 x 34, 9 images"
    assert second == "8: MR, T2 axial, 36 x 34, 4 images"
    assert "notes.txt" in note


def test_a_folder_is_one_input(
    tmp_path: Path, folder: Path, checkpoint: Path, run: Callable[..., tuple[int, str]]
) -> None:
    code, text = run("predict", folder, "--series", 3, "-o", tmp_path / "out", "-c", checkpoint,
                     "--probabilities")  # fmt: skip
    assert code == 0, text
    volume = read(folder, series=3)
    mask = read(tmp_path / "out" / "study.1_mask.nii.gz")
    assert mask.data.shape == PIXELS.shape
    # NIfTI holds the affine in 32 bits.
    assert np.allclose(mask.affine, volume.affine, rtol=0, atol=1e-5)
    assert (tmp_path / "out" / "study.1_probability.nii.gz").is_file()


def test_a_mask_as_dicom_seg(
    tmp_path: Path, folder: Path, checkpoint: Path, run: Callable[..., tuple[int, str]]
) -> None:
    out = tmp_path / "mask.dcm"
    code, text = run("predict", folder, "--series", 8, "-o", out, "-c", checkpoint,
                     "--probabilities")  # fmt: skip
    assert code == 0, text
    mask, volume = read_labels(out), read(folder, series=8)
    assert np.array_equal(mask.affine, volume.affine)
    assert mask.data.shape == volume.data.shape
    [segment, _] = dcmread(out).SegmentSequence
    assert segment.SegmentLabel == "class 1"
    assert segment.SegmentAlgorithmType == "AUTOMATIC"
    assert (tmp_path / "mask_probability.nii.gz").is_file()


def test_a_series_has_to_be_chosen(
    tmp_path: Path, folder: Path, checkpoint: Path, run: Callable[..., tuple[int, str]]
) -> None:
    arguments = ("predict", folder, "-o", tmp_path / "a.nii.gz", "-c", checkpoint)
    for more, words in (((), "--series 3"), (("--series", "5"), "no series 5")):
        code, text = run(*arguments, *more)
        assert code == 2
        assert len(text.strip().splitlines()) == 1
        assert words in text
        assert "T2 axial" in text
    (tmp_path / "empty").mkdir()
    code, text = run("predict", tmp_path / "empty", "-o", tmp_path / "a.nii", "-c", checkpoint)
    assert code == 2
    assert "holds no image that can be read" in text
    write_labels(tmp_path / "m.nii", Volume.from_array(PIXELS % 2, "ZYX", (1, 1, 1)))
    code, text = run("predict", tmp_path / "m.nii", "--series", 1, *arguments[2:])
    assert code == 2
    assert "has no series 1" in text


# Privacy


def bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def assert_nothing_of_the_patient(content: bytes | str) -> None:
    data = content.encode() if isinstance(content, str) else content
    for secret in (*SECRETS, f"{NAME}^{FIRST_NAME}", "1948-02-29"):
        for encoding in ("utf-8", "utf-16-le"):
            assert secret.encode(encoding) not in data, secret


def test_nothing_of_the_patient_gets_into_other_files(tmp_path: Path, folder: Path) -> None:
    volume = read(folder, series=3)
    labels = volume.with_data((PIXELS > 100).astype(np.uint8), "ZYX")
    out = tmp_path / "out"
    out.mkdir()
    for name in ("a.nii.gz", "a.nii", "a.ome.tif", "a.nrrd", "a.mha"):
        write(out / name, volume)
        write_labels(out / f"mask {name}", labels)
    slice_ = Volume(labels.data[4], "YX", np.eye(3), "pixel", labels.name, labels.source)
    write_labels(out / "a.png", slice_)
    (out / "unpacked").write_bytes(nibabel.load(out / "a.nii.gz").to_bytes())
    assert_nothing_of_the_patient(bytes_of(out))
    assert_nothing_of_the_patient(repr(volume) + repr(labels) + repr(slice_))


def test_dicom_seg_holds_only_what_the_standard_asks_for(tmp_path: Path, folder: Path) -> None:
    volume = read(folder, series=3)
    labels = volume.with_data((PIXELS > 100).astype(np.uint8), "ZYX")
    write_labels(tmp_path / "mask.dcm", labels)
    seg = dcmread(tmp_path / "mask.dcm")
    assert str(seg.PatientName) == f"{NAME}^{FIRST_NAME}"
    assert (seg.PatientID, seg.PatientBirthDate) == (NUMBER, BIRTH_DATE)
    for name in ("PatientName", "PatientID", "PatientBirthDate"):
        delattr(seg, name)
    seg.save_as(tmp_path / "rest.dcm")
    assert_nothing_of_the_patient((tmp_path / "rest.dcm").read_bytes())
    for name in ("PatientComments", "PatientAddress", "OtherPatientIDs", "InstitutionName"):
        assert name not in seg


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("Müller^Jürgen", "ISO_IR 100"),
        ("Иванов^Иван", "ISO_IR 144"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", ["", "ISO 2022 IR 87"]),
        ("Wang^XiaoDong=王^小東", "ISO_IR 192"),
    ],
)
def test_names_in_any_script_stay_as_they_are(
    tmp_path: Path, name: str, script: str | list[str]
) -> None:
    series(tmp_path / "ct", PIXELS[:3], SpecificCharacterSet=script, PatientName=name)
    volume = read(tmp_path / "ct")
    write_labels(tmp_path / "mask.dcm", volume.with_data(np.ones((3, 34, 36), np.uint8), "ZYX"))
    assert str(dcmread(tmp_path / "mask.dcm").PatientName) == name


def test_values_that_break_the_rules_are_neither_said_nor_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = {"PatientBirthDate": "29.02.1948", "PatientID": NUMBER * 12, "StudyDate": "yesterday"}
    with config.disable_value_validation():
        series(tmp_path / "ct", PIXELS[:3], **wrong)
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        volume = read(tmp_path / "ct")
        labels = volume.with_data(np.ones((3, 34, 36), np.uint8), "ZYX")
        write_labels(tmp_path / "mask.dcm", labels)
    assert_nothing_of_the_patient(caplog.text)
    assert "29.02" not in caplog.text
    with config.disable_value_validation():
        stored = dcmread(tmp_path / "mask.dcm")
        for name, value in wrong.items():
            assert stored[name].value == value


def test_numbers_that_break_the_rules_are_no_obstacle(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Programs that remove names often write identifiers that are none."""
    wrong = {"SeriesInstanceUID": "series_of_Zyxwv", "FrameOfReferenceUID": "frame 1"}
    with config.disable_value_validation():
        files = series(tmp_path / "ct", PIXELS[:3], **wrong)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        volume = read(tmp_path / "ct")
        labels = volume.with_data(np.ones((3, 34, 36), np.uint8), "ZYX")
        write_labels(tmp_path / "mask.dcm", labels)
    assert volume.source["paths"] == tuple(files)
    assert caplog.text == ""


def test_nothing_of_the_patient_is_said_when_something_is_wrong(
    tmp_path: Path, folder: Path, checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    messages = []
    files = sorted((folder / "ct").iterdir())
    whole = files[4].read_bytes()

    def attempt(action: Callable[[], object]) -> None:
        with pytest.raises(LGMSNetError) as caught:
            action()
        messages.append(str(caught.value))

    with caplog.at_level(logging.DEBUG):
        attempt(lambda: read(folder))
        for length in range(200, whole.index(b"\x28\x00\x10\x00"), 150):
            files[4].write_bytes(whole[:length])
            attempt(lambda: read(folder, series=3))
        files[4].write_bytes(whole[:-100])
        attempt(lambda: read(folder, series=3))
        files[4].unlink()
        attempt(lambda: read(folder, series=3))
        save(folder / "ct" / "x", slice_of(PIXELS[0], (0, 0, 900)))
        attempt(lambda: read(folder, series=3))
        mr = read(folder, series=8)
        for file in (folder / "mr").iterdir():
            file.unlink()
        attempt(lambda: write_labels(tmp_path / "a.dcm", mr.with_data(mr.data > 0, "ZYX")))
    assert_nothing_of_the_patient(" ".join(messages) + caplog.text)
    assert_nothing_of_the_patient(repr(dicom.survey(folder).series))


def test_a_whole_run_says_nothing_of_the_patient(
    tmp_path: Path, folder: Path, checkpoint: Path
) -> None:
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "napari_lgmsnet", "predict", folder, "--series", "3", "-o", out,
         "-c", checkpoint],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert_nothing_of_the_patient(done.stdout + done.stderr)
    assert_nothing_of_the_patient(bytes_of(out))
