"""Channels and frames of a volume, in Python and on the command line."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_lgmsnet import predict
from napari_lgmsnet.cli import main
from napari_lgmsnet.core import checkpoints
from napari_lgmsnet.core.arrays import as_lazy
from napari_lgmsnet.core.channels import choose_channels
from napari_lgmsnet.core.errors import GeometryError, InputError
from napari_lgmsnet.core.inference import iterate
from napari_lgmsnet.core.io import read, write
from napari_lgmsnet.core.prediction import make_settings
from napari_lgmsnet.core.types import Progress, Volume
from tests.core.helpers import small_model

GENERATOR = np.random.default_rng(0)
CELLS = GENERATOR.normal(size=(34, 40, 5)).astype(np.float32)


def series(frames: int = 3) -> Volume:
    data = GENERATOR.normal(size=(frames, 2, 20, 24)).astype(np.float32)
    return Volume.from_array(data, "TZYX", (3.0, 1.0, 1.0), "film")


@pytest.mark.parametrize("lazy", [False, True])
def test_channels_in_the_order_that_is_asked_for(lazy: bool) -> None:
    volume = Volume.from_array(as_lazy(CELLS) if lazy else CELLS, "YXC")
    assert choose_channels(volume, None) is volume
    several = choose_channels(volume, (4, 0, 0))
    assert (several.axes, several.is_lazy) == ("YXC", lazy)
    np.testing.assert_array_equal(np.asarray(several.data), CELLS[..., [4, 0, 0]])
    one = choose_channels(volume, (3,))
    assert (one.axes, one.is_lazy) == ("YX", lazy)
    np.testing.assert_array_equal(np.asarray(one.data), CELLS[..., 3])


def test_channel_that_is_not_there() -> None:
    with pytest.raises(InputError, match='no channel 6: "cells" has 5 channels'):
        choose_channels(Volume.from_array(CELLS, "YXC", name="cells"), (5,))
    grey = Volume.from_array(CELLS[..., 0], "YX", name="grey")
    assert choose_channels(grey, (0,)) is grey
    with pytest.raises(InputError, match='no channel 2: "grey" has no channel axis'):
        choose_channels(grey, (1,))
    for wrong in ((), (-1,)):
        with pytest.raises(InputError, match="channels"):
            make_settings(channels=wrong)


def test_prediction_from_some_channels() -> None:
    model = small_model(2, 2, colour="bgr", size=(32, 32))
    with pytest.raises(InputError, match="choose the channels"):
        predict(model, Volume.from_array(CELLS, "YXC"))
    result = predict(model, Volume.from_array(CELLS, "YXC"), channels=(4, 1))
    expected = predict(model, Volume.from_array(CELLS[..., [4, 1]], "YXC"))
    np.testing.assert_array_equal(result.probabilities, expected.probabilities)
    assert result.label_volume().axes == "YX"
    assert "channels 5, 2" in result.describe()


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("lazy", [False, True])
def test_series_is_predicted_frame_by_frame(dimensions: int, lazy: bool) -> None:
    film = series()
    model = small_model(dimensions, out_channels=3)
    given = Volume(as_lazy(film.data), film.axes, film.affine, "mm") if lazy else film
    result = predict(model, given)
    assert result.labels.shape == (3, 2, 20, 24)
    assert result.probabilities.shape == (3, 3, 2, 20, 24)
    for index in range(3):
        one = predict(model, film.frame(index))
        np.testing.assert_array_equal(result.labels[index], one.labels)
        np.testing.assert_array_equal(result.probabilities[:, index], one.probabilities)
    assert result.label_volume().axes == "TZYX"
    assert result.foreground_volume().data.shape == (3, 2, 20, 24)
    np.testing.assert_array_equal(result.at_threshold(0.5).labels, result.labels)


def test_series_tells_how_far_it_is_and_can_be_stopped() -> None:
    read_frames = []

    class Frames:
        shape, ndim, dtype = (5, 34, 40), 3, np.dtype(np.float32)

        def __getitem__(self, index: int) -> np.ndarray:
            read_frames.append(index)
            return GENERATOR.normal(size=self.shape[1:]).astype(np.float32)

    film = Volume.from_array(Frames(), "TYX")  # type: ignore[arg-type]
    job = iterate(small_model(2, size=(32, 32)), film, make_settings())
    steps: list[Progress] = []
    while not (steps and steps[-1].message.startswith("frame 3")):
        steps.append(next(job))
    job.close()
    assert read_frames == [0, 1]
    assert {step.total for step in steps} == {5}
    assert steps[0].message == "frame 1 of 5"
    assert "window 1 of 1" in steps[1].message


def test_frames_that_are_not_there() -> None:
    with pytest.raises(GeometryError, match='no frame 4: "film" has 3'):
        series().frame(3)
    with pytest.raises(GeometryError, match="no time series"):
        series().frame(0).frame(0)
    empty = Volume.from_array(np.zeros((0, 4, 4)), "TYX")
    with pytest.raises(InputError, match="no frame"):
        predict(small_model(2), empty)


# --- on the command line -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    checkpoints.save(path, small_model(2, size=(32, 32), window=(32, 32)))
    return str(path)


def run(*arguments: object) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(one) for one in arguments])
    assert end.value.code == 0


def test_series_channel_and_frame(tmp_path: Path, checkpoint: str) -> None:
    data = GENERATOR.normal(size=(3, 34, 40, 2)).astype(np.float32)
    write(tmp_path / "film.tif", Volume.from_array(data, "TYXC", (1.0, 2.0)))
    options = ("-c", checkpoint, "-q", "--channel", 2)
    run("predict", tmp_path / "film.tif", "-o", tmp_path / "mask.tif", "--probabilities", *options)
    model = checkpoints.load(checkpoint)
    expected = np.stack([predict(model, frame).labels for frame in data[..., 1]])
    mask = read(tmp_path / "mask.tif")
    assert mask.axes == "TYX"
    assert mask.spacing == pytest.approx((1.0, 2.0))
    np.testing.assert_array_equal(mask.data, expected)
    [probability] = tmp_path.glob("*_probability.tif")
    assert read(probability).data.shape == (3, 34, 40)
    run("predict", tmp_path / "film.tif", "-o", tmp_path / "one.tif", "--frame", 2, *options)
    np.testing.assert_array_equal(read(tmp_path / "one.tif").data, expected[1])


def test_level(tmp_path: Path, checkpoint: str) -> None:
    data = GENERATOR.normal(size=(160, 144)).astype(np.float32)
    with tifffile.TiffWriter(tmp_path / "slide.tif") as file:
        file.write(data, subifds=2, photometric="minisblack")
        for level in (data[::2, ::2], data[::4, ::4]):
            file.write(level, subfiletype=1, photometric="minisblack")
    options = ("-c", checkpoint, "-q")
    for level, shape in (("1", (160, 144)), ("2", (80, 72)), ("auto", (40, 36))):
        output = tmp_path / f"{level}.tif"
        run("predict", tmp_path / "slide.tif", "-o", output, "--level", level, *options)
        assert read(output).data.shape == shape


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--level", "4", "no level 4"),
        ("--level", "0", 'level "0" is no number from 1 on'),
        ("--level", "finest", "not auto"),
        ("--frame", "2", "no time series"),
        ("--channel", "2", "no channel 2"),
    ],
)
def test_what_is_not_there_is_said(
    tmp_path: Path, checkpoint: str, option: str, value: str, message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    write(tmp_path / "a.tif", Volume.from_array(CELLS[..., 0], "YX"))
    with pytest.raises(SystemExit) as end:
        main(["predict", str(tmp_path / "a.tif"), "-o", str(tmp_path / "mask.tif"),
              "-c", checkpoint, "-q", option, value])  # fmt: skip
    assert end.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "mask.tif").exists()
