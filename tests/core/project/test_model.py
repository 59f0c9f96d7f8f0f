"""A project against a model of it in plain Python, over any order of actions and reopenings."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from numpy.typing import NDArray

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.progress import run
from napari_lgmsnet.core.project import FOLLOWERS, Autosaver, Edit, Project, verify
from tests.core.project.helpers import write_picture

SHAPE = (6, 7)
Labels = NDArray[np.uint8]

values = st.integers(0, 5)
places = st.lists(
    st.tuples(st.integers(0, SHAPE[0] - 1), st.integers(0, SHAPE[1] - 1)), min_size=1, max_size=8
)
boxes = st.tuples(
    *(st.tuples(st.integers(0, n - 1), st.integers(1, n)).map(sorted) for n in SHAPE)
).map(lambda box: tuple(slice(*part) for part in box))
states = st.sampled_from(list(FOLLOWERS))
authors = st.sampled_from(["person", "undo", "network"])


@dataclass
class Mask:
    labels: Labels
    prediction: Labels | None = None
    touched: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(SHAPE, bool))
    vouched: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(SHAPE, bool))


@dataclass
class Entry:
    name: str
    state: str = "new"
    partial: bool = False
    note: str = ""
    doubt: float | None = None
    voxels: int = 0
    strokes: int = 0
    mask: Mask | None = None
    history: list[str] = field(default_factory=lambda: ["new"])

    def enter(self, state: str, partial: bool = False) -> None:
        self.partial = partial and state == "accepted"
        if state != self.state:
            self.history.append(state)
        self.state = state


class ProjectMachine(RuleBasedStateMachine):
    cases = Bundle("cases")

    @initialize()
    def create(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="project-"))
        self.pictures = 0
        self.entries: dict[int, Entry] = {}
        self.order: list[int] = []
        self.view: dict[str, int] = {}
        self.project = Project.create(self.folder / "project")
        self.saver = Autosaver(self.project, delay=1000)

    def teardown(self) -> None:
        self.saver.discard()
        self.project.close()
        shutil.rmtree(self.folder)

    @rule(target=cases, count=st.integers(1, 2), again=st.booleans())
    def add(self, count: int, again: bool) -> object:
        paths = []
        for _ in range(count):
            self.pictures += 1
            paths.append(write_picture(self.folder / f"{self.pictures}.png", self.pictures))
        if again:
            copy = self.folder / f"copy of {self.pictures}.png"
            paths.append(write_picture(copy, self.pictures))
        added = run(self.project.add(paths))
        assert len(added.cases) == count
        assert len(added.known) == again
        for case in added.cases:
            self.entries[case.id] = Entry(case.name)
            self.order.append(case.id)
        return multiple(*(case.id for case in added.cases))

    @rule(case=consumes(cases))
    def remove(self, case: int) -> None:
        self.saver.flush()
        self.project.remove_case(case)
        del self.entries[case]
        self.order.remove(case)

    @rule(case=cases, seed=st.integers(0, 99))
    def predict(self, case: int, seed: int) -> None:
        self.saver.flush()
        new = np.random.default_rng(seed).integers(0, 3, SHAPE, dtype=np.uint8)
        run(self.project.labels.store(case, prediction=new, checkpoint=f"{seed:064}"))
        entry = self.entries[case]
        if entry.mask is None:
            entry.mask = Mask(new.copy(), new)
        else:
            known = entry.mask.touched | entry.mask.vouched
            entry.mask.labels = np.where(known, entry.mask.labels, new)
            entry.mask.prediction = new
        if entry.state == "new":
            entry.enter("predicted")

    @rule(case=cases)
    def begin_empty(self, case: int) -> None:
        if self.entries[case].mask is None:
            run(self.project.labels.store(case, labels=np.zeros(SHAPE, np.uint8)))
            self.entries[case].mask = Mask(np.zeros(SHAPE, np.uint8))

    @rule(case=cases, where=places, value=values, author=authors)
    def paint(self, case: int, where: list[tuple[int, int]], value: int, author: str) -> None:
        mask = self.entries[case].mask
        if mask is None:
            return
        index = tuple(np.array(axis) for axis in zip(*where, strict=True))
        old = mask.labels[index]
        self.saver.edit(case, Edit(index, value, old, author=author, strokes=1))  # type: ignore[arg-type]
        here = np.zeros(SHAPE, bool)
        here[index] = True
        self._paint(case, mask, here, np.full(SHAPE, value, np.uint8), author)

    @rule(case=cases, box=boxes, seed=st.integers(0, 99), author=authors)
    def fill(self, case: int, box: tuple[slice, ...], seed: int, author: str) -> None:
        mask = self.entries[case].mask
        if mask is None:
            return
        new = np.random.default_rng(seed).integers(0, 4, SHAPE, dtype=np.uint8)
        edit = Edit(box, new[box], mask.labels[box].copy(), author=author, strokes=1)  # type: ignore[arg-type]
        self.saver.edit(case, edit)
        here = np.zeros(SHAPE, bool)
        here[box] = mask.labels[box] != new[box]
        self._paint(case, mask, here, new, author)

    def _paint(
        self, case: int, mask: Mask, here: NDArray[np.bool_], new: Labels, author: str
    ) -> None:
        entry = self.entries[case]
        if author != "network":
            entry.voxels += int(((mask.labels != new) & here).sum())
            entry.enter("in correction")
        entry.strokes += 1
        mask.labels[here] = new[here]
        before = np.zeros(SHAPE, np.uint8) if mask.prediction is None else mask.prediction
        if author == "undo":
            mask.touched[here] = (mask.labels != before)[here]
        else:
            mask.touched[here] = author == "person"

    @rule(case=cases, box=boxes, value=st.booleans())
    def vouch(self, case: int, box: tuple[slice, ...], value: bool) -> None:
        mask = self.entries[case].mask
        if mask is not None:
            self.saver.edit(case, Edit(box, int(value), layer="vouched"))
            mask.vouched[box] = value
            self.entries[case].enter("in correction")

    @rule(case=cases, state=states, partial=st.booleans())
    def set_state(self, case: int, state: str, partial: bool) -> None:
        self.saver.flush()
        entry = self.entries[case]
        if state == entry.state or state in FOLLOWERS[entry.state]:  # type: ignore[index]
            self.project.cases.set_state(case, state, partial=partial)  # type: ignore[arg-type]
            entry.enter(state, partial)
        else:
            try:
                self.project.cases.set_state(case, state)  # type: ignore[arg-type]
            except InputError:
                return
            raise AssertionError(f"{entry.state} became {state}")

    @rule(case=cases)
    def discard_mask(self, case: int) -> None:
        self.saver.flush()
        self.project.discard_mask(case)
        self.entries[case].mask = None
        # What was not stored whole yet goes with its journals.
        rows = [row for row in self.project.ledger() if row.case_id == case]
        self.entries[case].voxels = sum(row.voxels_changed for row in rows)
        self.entries[case].strokes = sum(row.strokes for row in rows)
        self.entries[case].enter("new")

    @rule(case=cases, note=st.text(max_size=5), doubt=st.none() | st.floats(0, 1))
    def describe(self, case: int, note: str, doubt: float | None) -> None:
        self.project.cases.set_note(case, note)
        self.project.cases.set_doubt(case, doubt)
        self.entries[case].note, self.entries[case].doubt = note, doubt

    @rule(first=cases)
    def reorder(self, first: int) -> None:
        self.project.cases.reorder([first])
        self.order.sort(key=lambda case: case != first)

    @rule(number=st.integers())
    def look(self, number: int) -> None:
        self.saver.keep_view({"number": number})
        self.view = {"number": number}

    @rule()
    def tidy(self) -> None:
        run(self.project.tidy())

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def compact(self, data: st.DataObject) -> None:
        run(self.project.labels.compact(data.draw(st.sampled_from(self.order))))

    @rule()
    def reopen(self) -> None:
        self.saver.close()
        self.project.close()
        self.project = Project.open(self.folder / "project")
        self.saver = Autosaver(self.project, delay=1000)

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "project"):
            return
        assert self.saver.flush().status == "saved"
        cases = self.project.cases.all()
        assert [case.id for case in cases] == self.order
        assert self.project.view() == self.view
        ledger = self.project.ledger()
        for case in cases:
            entry = self.entries[case.id]
            found = (case.name, case.state, case.partial, case.note, case.doubt)
            assert found == (entry.name, entry.state, entry.partial, entry.note, entry.doubt)
            assert [state for state, _ in self.project.cases.history(case.id)] == entry.history
            rows = [row for row in ledger if row.case_id == case.id]
            assert sum(row.voxels_changed for row in rows) == entry.voxels
            assert sum(row.strokes for row in rows) == entry.strokes
            mask = self.project.labels.read(case.id)
            assert (mask is None) == (entry.mask is None)
            if mask is not None and entry.mask is not None:
                for layer in ("labels", "prediction", "touched", "vouched"):
                    assert np.array_equal(getattr(mask, layer), getattr(entry.mask, layer)), layer
                assert (mask.damage, mask.torn_bytes) == ((), 0)
        problems = run(verify(self.project))
        assert [
            one for one in problems if one.severity == "error" and "no mask" not in one.what
        ] == []


TestProject = ProjectMachine.TestCase
TestProject.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
