"""Which engine is chosen, and what is remembered of the trial."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from napari_lgmsnet import predict
from napari_lgmsnet.cli import main
from napari_lgmsnet.core.checkpoints import save
from napari_lgmsnet.core.engines import checked as checks
from napari_lgmsnet.core.engines import timings
from napari_lgmsnet.core.engines.choice import TRIAL_AFTER, Engines
from napari_lgmsnet.core.engines.fused import FusedEngine
from napari_lgmsnet.core.engines.names import installed
from napari_lgmsnet.core.engines.timings import Circumstances, Timing
from napari_lgmsnet.core.network import LGMSNet
from tests.core.engines.helpers import CPU, WINDOWS, choose, trained_network
from tests.core.helpers import small_model

WINDOW = WINDOWS[2]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(timings, "folder", lambda: tmp_path / "engines")
    return tmp_path / "engines"


def circumstances(network: LGMSNet) -> Circumstances:
    return Circumstances.here(timings.weights_sha256(network), WINDOW)


def timing(**seconds: float) -> Timing:
    return Timing(seconds=seconds, prepare={name: 1.0 for name in seconds if name != "torch"})


class Slow(FusedEngine):
    """An engine that says what is right, late."""

    def __init__(self, network: LGMSNet, window: tuple[int, ...], threads: int, name: str) -> None:
        super().__init__(network)
        self.name = name

    def __call__(self, batch: Tensor) -> Tensor:
        time.sleep(0.3)
        return super().__call__(batch)


def slow(name: str) -> Any:
    return lambda network, window, threads: Slow(network, window, threads, name)


def test_the_fastest_for_the_work_at_hand_is_best() -> None:
    measured = timing(torch=0.3, fused=0.2, openvino=0.1)

    assert measured.best(1) == "torch"
    assert measured.best(100) == "openvino"
    assert measured.best(1, built=frozenset({"fused"})) == "fused"


def test_few_windows_are_not_tried(cache: Path) -> None:
    engines = Engines(trained_network(2))

    chosen, said = choose(engines, windows=TRIAL_AFTER)

    assert chosen.engine.name == "torch"
    assert said == []
    assert not cache.exists()


def test_windows_are_counted_over_predictions(cache: Path) -> None:
    model = small_model(2, in_channels=3, colour="rgb", size=(32, 32))
    image = np.zeros((32, 32, 3), np.uint8)
    for _ in range(TRIAL_AFTER):
        assert predict(model, image, engine="auto").engine == "torch"
    predict(model, image)
    assert not cache.exists()

    predict(model, image, engine="auto")

    assert len(list(cache.iterdir())) == 1


def test_the_trial_takes_the_fastest_and_remembers(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in checks.BUILDERS:
        monkeypatch.setitem(checks.BUILDERS, name, slow(name))
    network = trained_network(2)

    chosen, said = choose(Engines(network))

    assert chosen.engine.name == "torch"
    assert any("OpenVINO" in words for words in said)
    kept = timings.recall(circumstances(network))
    assert kept is not None
    assert set(kept.seconds) == set(installed())  # nothing in reduced precision
    assert kept.best(10**6) == "torch"
    # Another process, or the same checkpoint opened again:
    again, said = choose(Engines(trained_network(2)))
    assert again.engine.name == "torch"
    assert said == []


@pytest.mark.parametrize("name", ["torch", "fused", "openvino"])
def test_what_was_measured_before_is_obeyed(name: str) -> None:
    network = trained_network(2)
    seconds = dict.fromkeys(("torch", "fused", "openvino"), 1.0) | {name: 0.001}
    timings.remember(circumstances(network), timing(**seconds))

    chosen, said = choose(Engines(network))

    assert chosen.engine.name == name
    assert said == []


def test_a_person_goes_before_what_was_measured() -> None:
    network = trained_network(2)
    timings.remember(circumstances(network), timing(torch=1.0, fused=1.0, openvino=0.001))
    engines = Engines(network)

    assert choose(engines, "fused")[0].engine.name == "fused"
    assert choose(engines, "torch")[0].engine.name == "torch"


@pytest.mark.parametrize(
    "contents",
    [
        "",
        "not JSON",
        "[]",
        '{"seconds": {"fused": 1.0}, "prepare": {"fused": 1.0}}',
        '{"seconds": {"torch": -1.0}, "prepare": {}}',
        '{"seconds": {"torch": 1.0, "fused": 1.0}, "prepare": {}}',
    ],
)
def test_an_invalid_cache_is_measured_again(contents: str) -> None:
    network = trained_network(2)
    path = circumstances(network).path
    path.parent.mkdir(parents=True)
    path.write_text(contents)

    _, said = choose(Engines(network))

    assert said != []
    assert timings.recall(circumstances(network)) is not None


def test_an_engine_unknown_here_in_the_cache_is_not_used() -> None:
    network = trained_network(2)
    path = circumstances(network).path
    path.parent.mkdir(parents=True)
    path.write_text('{"seconds": {"torch": 1.0, "warp": 0.1}, "prepare": {"warp": 1.0}}')

    chosen, said = choose(Engines(network))

    assert chosen.engine.name in {"torch", "fused", "openvino"}
    assert said != []


def test_a_wrong_engine_never_wins_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(FusedEngine):
        def __call__(self, batch: Tensor) -> Tensor:
            return batch[:, :2]

    monkeypatch.setitem(checks.BUILDERS, "fused", lambda network, *_: Wrong(network))
    monkeypatch.setitem(checks.BUILDERS, "openvino", slow("openvino"))
    network = trained_network(2)

    chosen, _ = choose(Engines(network))

    assert chosen.engine.name == "torch"
    assert any("fused is not used" in note for note in chosen.notes)
    kept = timings.recall(circumstances(network))
    assert kept is not None
    assert "fused" not in kept.seconds


def test_other_weights_and_windows_are_other_measurements() -> None:
    one, two = trained_network(2), trained_network(2)
    assert circumstances(one) == circumstances(two)
    two.head.bias.data += 1
    assert circumstances(one).path != circumstances(two).path
    other = Circumstances.here(timings.weights_sha256(one), (64, 64))
    assert other.path != circumstances(one).path


def test_the_cache_is_bounded_and_may_be_closed(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timings, "KEPT", 3)
    for size in range(5):
        here = Circumstances(str(size), WINDOW, 1, (), ())
        timings.remember(here, timing(torch=1.0))
    assert len(list(cache.iterdir())) == 3
    assert timings.recall(here) is not None

    monkeypatch.setattr(timings, "folder", lambda: Path("/proc/nowhere"))
    timings.remember(here, timing(torch=1.0))
    assert timings.recall(here) is None


def test_a_trial_can_be_stopped(cache: Path) -> None:
    engines = Engines(trained_network(2))
    job = engines.choose("auto", WINDOW, 100, CPU)
    next(job)
    next(job)
    job.close()

    assert not cache.exists()
    assert choose(engines, "fused")[0].engine.name == "fused"


def test_the_command_line_takes_an_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "small.safetensors", small_model(2, in_channels=3, colour="rgb", size=(32, 32)))
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "image.png")
    command = ["predict", str(tmp_path / "image.png"), "-o", str(tmp_path / "mask.png")]

    with pytest.raises(SystemExit) as end:
        main([*command, "-c", str(tmp_path / "small.safetensors"), "--engine", "fused"])

    assert end.value.code == 0
    assert "(fused)" in capsys.readouterr().err
