"""Fifty kills at random moments, on one project: nothing older than two seconds may be missing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.project import Project, verify
from tests.core.project.crashing import Model, edit_of, prediction_of
from tests.core.project.helpers import add_pictures, mask_of, store

KILLS = 50
LONGEST_LOSS = 2.0

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks a process that has numpy")


@pytest.fixture
def crasher() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.core.project.crashing"]
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()


def lines(stream: IO[str]) -> Iterator[list[str]]:
    for line in stream:
        yield line.rstrip("\n").split("\t")


@pytest.mark.slow
def test_a_killed_window_loses_two_seconds_at_most(
    tmp_path: Path, crasher: subprocess.Popen[str]
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    sys.stdout.write(f"seed {seed}\n")
    rng = random.Random(seed)
    assert crasher.stdin is not None
    assert crasher.stdout is not None
    with Project.create(tmp_path / "project") as project:
        (case,) = add_pictures(project, tmp_path)
        store(project, case, prediction_of(seed))
    model, kept = Model(prediction_of(seed)), 0
    for kill in range(KILLS):
        # A few live long enough for edits that must not be missing.
        life = rng.uniform(2.2, 2.8) if kill % 20 == 10 else rng.uniform(0.0, 0.7)
        delay = rng.choice([0.02, 0.1, 0.5])
        crasher.stdin.write(f"{tmp_path / 'project'}\t{kept}\t{seed}\t{delay}\n")
        crasher.stdin.flush()
        answers = lines(crasher.stdout)
        pid = int(next(answers)[1])
        time.sleep(life)
        killed = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        made, saved, old = kept, kept, 0
        for word, *rest in answers:
            if word == "edit":
                made = int(rest[0])
                if float(rest[1]) <= killed - LONGEST_LOSS:
                    old = made
            elif word == "saved":
                saved = max(saved, int(rest[0]))
            elif word == "gone":
                assert int(rest[0]) == -signal.SIGKILL
                break

        with Project.open(tmp_path / "project") as project:
            assert not project.read_only
            mask = mask_of(project, case)
            problems = run(verify(project))
            view = project.view()
        assert [one for one in problems if one.severity == "error"] == []
        sys.stdout.write(
            f"kill {kill}: lived {life:.2f} s, delay {delay}, from {kept}, {made} made\n"
        )
        # One more may have been handed over than the child came to say. Some edits change nothing:
        # the mask is then that of several numbers, and the last one is meant.
        found, trial = None, deepcopy(model)
        for number in range(kept, made + 2):
            if same(trial, mask):
                found = (number, deepcopy(trial))
            trial.apply(edit_of(seed, number))
        assert found, f"kill {kill}: the mask is none of those between {kept} and {made} edits"
        kept, model = found
        assert kept >= max(saved, old), f"kill {kill}: {made} made, {saved} said to be saved"
        assert old == 0 or view["edit"] >= old
    assert kept > KILLS


def same(model: Model, mask: object) -> bool:
    return all(
        np.array_equal(getattr(model, name), getattr(mask, name))
        for name in ("labels", "touched", "vouched", "prediction")
    )
