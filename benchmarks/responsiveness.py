"""Whether the window freezes while networks run and learn, and what it costs to open it.

    python benchmarks/responsiveness.py [--seconds 8] [--only start alone window]

A real viewer with all tabs shows slices of a head, enlarged to 512 x 512. A network segments them
over and over, another one is fine-tuned, and a mask is painted by mouse events that are sent to
the canvas 60 times a second; each alone, and together. A timer beats every 2 ms in the window's
own event loop, and the time between two beats is a gap: for so long nothing on screen moved.
Percentiles weigh gaps by their length, so "95 %" is a gap that is longer than the one which 95 % of
all moments fall into; counted one by one, long gaps would be hidden by the many short ones between
them. The first seconds of each part warm up and do not count.

Steps of training are counted meanwhile, and once more in a process without a window: with the same
number of threads, and with a thread for every core.

On Linux without a display, or with --virtual, the window opens on a virtual screen (Xvfb, and the
package pyvirtualdisplay), where the processor draws; a graphics card leaves it more time. All
takes less than three minutes; only an idle machine gives figures worth keeping.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from busy_window import CHECKPOINT, SIZE, SLICES, WARM_UP, Steps, Studio, slices

WIDGETS = ("Segment", "Inspect", "Correct", "Fine-tune", "Cases", "All tabs")
PARTS: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "predicting": ("predict",),
    "fine-tuning": ("train",),
    "painting": ("paint",),
    "painting, fine-tuning": ("train", "paint"),
    "painting, fine-tuning, predicting": ("train", "predict", "paint"),
}
IMPORT = """
import time
start = time.perf_counter()
import napari_lgmsnet
took = time.perf_counter() - start
import sys
assert not {"torch", "qtpy", "numpy"} & set(sys.modules)
print(took)
"""
LIST = """
import time
import npe2
start = time.perf_counter()
manifest = npe2.PluginManifest.from_distribution("napari-lgmsnet")
took = time.perf_counter() - start
import sys
assert manifest.contributions.widgets and "torch" not in sys.modules
print(took)
"""
OPEN = """
import sys, time
import napari
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QApplication
class Drawn(QObject):
    seen = False
    def eventFilter(self, watched, event):
        self.seen = self.seen or event.type() == QEvent.Type.Paint
        return False
viewer = napari.Viewer()
QApplication.processEvents()
drawn = Drawn()
start = time.perf_counter()
dock, _ = viewer.window.add_plugin_dock_widget("napari-lgmsnet", sys.argv[1])
dock.installEventFilter(drawn)
while not drawn.seen:
    assert time.perf_counter() - start < 30, "it was never drawn"
    QApplication.processEvents()
took = time.perf_counter() - start
assert "torch" not in sys.modules, "torch was loaded"
viewer.close()
print(took)
"""


@contextmanager
def screen(virtual: bool) -> Iterator[str]:
    """Give a screen, and say which."""
    if sys.platform != "linux" or (not virtual and os.environ.get("DISPLAY")):
        yield "the screen of this machine"
        return
    from pyvirtualdisplay import Display

    # On a Wayland desktop Qt would open the window there.
    os.environ["QT_QPA_PLATFORM"] = "xcb"
    with Display(visible=False, size=(1600, 1000), color_depth=24):
        yield "a virtual screen (Xvfb), drawn by the processor"


def fresh(code: str, *arguments: str, rounds: int) -> float:
    """Return the median of what a piece of code prints, each time in a process of its own.

    The first time does not count: it leaves byte code behind, as a person's first start does.
    """
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    seconds = []
    for _ in range(rounds + 1):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True, text=True, check=False, env=kept,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(done.stderr)
        seconds.append(float(done.stdout.splitlines()[-1]))
    return statistics.median(seconds[1:])


def start_up() -> None:
    """Print what importing and opening cost before torch is needed."""
    print("\n| before torch is needed | median | aim |\n|---|---|---|")
    print(f"| import of the plugin | {1e3 * fresh(IMPORT, rounds=5):.1f} ms | 50 ms |")
    print(f"| its manifest, read by napari | {1e3 * fresh(LIST, rounds=3):.1f} ms | |")
    for name in WIDGETS:
        print(f'| opening "{name}" | {1e3 * fresh(OPEN, name, rounds=3):.0f} ms | 300 ms |')


def alone(seconds: float, spare: int) -> float:
    """Return steps a second of the same training without a window."""
    from napari_lgmsnet.core.checkpoints import load
    from napari_lgmsnet.core.device import set_thread_budget
    from napari_lgmsnet.core.finetune import Control, example_from_arrays, fine_tune, make_settings
    from napari_lgmsnet.core.types import Volume

    set_thread_budget(spare=spare)
    image, mask = slices()
    example = example_from_arrays(Volume.from_array(image, "ZYX", name="head"), mask, name="head")
    settings = make_settings(seconds=3600.0, device="cpu")
    counter = Steps()
    end = None
    for step in fine_tune(load(CHECKPOINT), [example], settings, control=Control()):
        if step.phase != "train":
            continue
        end = end or time.perf_counter() + WARM_UP + seconds
        counter.add(step.trained)
        if time.perf_counter() > end:
            break
    return counter.rate(end - seconds)


def without_window(seconds: float, spare: int) -> float:
    """Return what :func:`alone` says in a process of its own."""
    command = [sys.executable, __file__, "--seconds", str(seconds), "--alone", str(spare)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stdout.splitlines()[-1])


def window(seconds: float, rates: dict[str, float]) -> None:
    """Print the gaps of the event loop in all parts."""
    studio = Studio()
    studio.rest(WARM_UP)
    studio.warm_up()
    print(
        "\n| meanwhile | gap, median | 95 % | 95 %, counted | longest | mouse moves | predictions "
        "| training steps | kept of them |\n|---|---|---|---|---|---|---|---|---|"
    )
    for title, what in PARTS.items():
        found = studio.part(what, seconds)
        cells = [f"{found[name]:.0f} ms" for name in ("median", "p95", "counted", "longest")]
        cells += [
            f"{found[name]:.2f} / s" if name in found else ""
            for name in ("moves", "predictions", "steps")
        ]
        share = found.get("steps", 0) / rates["one spared"] if rates else 0
        cells.append(f"{100 * share:.0f} %" if share else "")
        print(f"| {title} | {' | '.join(cells)} |", flush=True)
    print("\nAims: 95 % at most 33 ms, longest at most 150 ms, 75 % kept.")
    slice_, stack = studio.remembered()
    print("\n| the same prediction again | from Run to the mask | aim |\n|---|---|---|")
    print(f"| one slice, {SIZE} x {SIZE} | {1e3 * slice_:.0f} ms | 50 ms |")
    print(f"| {SLICES} slices | {1e3 * stack:.0f} ms | |")
    studio.viewer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="For each part.")
    parser.add_argument("--virtual", action="store_true", help="Even where there is a screen.")
    everything = ("start", "alone", "window")
    parser.add_argument("--only", nargs="+", choices=everything, default=everything)
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone is not None:
        print(alone(options.seconds, options.alone))
        return
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("torch", "napari", "vispy", "PySide6_Essentials")
    )
    print(f"{names[0] if names else platform.machine()}, {cores} cores; {packages}", end="; ")
    print(f"Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder, screen(options.virtual) as where:
        # Nothing of the person's is read or changed.
        for kind in ("CACHE", "CONFIG", "DATA", "STATE"):
            os.environ[f"XDG_{kind}_HOME"] = str(Path(folder) / kind.lower())
        print(f"on {where}", flush=True)
        if "start" in options.only:
            start_up()
        rates = {}
        if "alone" in options.only:
            print("\n| training without a window | |\n|---|---|")
            for name, spare in (("one spared", 1), ("every core", 0)):
                rates[name] = without_window(options.seconds, spare)
                print(f"| {name} | {rates[name]:.2f} steps / s |", flush=True)
        if "window" in options.only:
            window(options.seconds, rates)


if __name__ == "__main__":
    main()
