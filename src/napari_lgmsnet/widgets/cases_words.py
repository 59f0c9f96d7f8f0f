"""What the Cases widget says, in a person's words."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from napari_lgmsnet.adapters.case_jobs import Predicted
from napari_lgmsnet.widgets.text import duration

if TYPE_CHECKING:
    from napari_lgmsnet.core.project import Case, Project, SaveState, State

_FEW = 20


def count_words(counts: Mapping[State, int]) -> str:
    """Return how many cases there are, and how many of them are done."""
    total = sum(counts.values())
    done = counts.get("accepted", 0)
    words = "1 case" if total == 1 else f"{total} cases"
    return f"{words}, {done} accepted" if done else words


def read_only_words(project: Project) -> str:
    """Return why a project can only be looked at, and what to do."""
    holder = project.holder
    if holder is None:
        why = project.why_read_only
        return f"{why[:1].upper()}{why[1:]}. Here it can only be looked at."
    since = datetime.fromisoformat(holder.since).astimezone()
    when = since.strftime("%H:%M" if since.date() == datetime.now().astimezone().date() else "%c")
    here = (holder.host, holder.pid) == (socket.gethostname(), os.getpid())
    where = "in another window of this program" if here else f'on the computer "{holder.host}"'
    return (
        f"This project has been open {where} since {when}. Here it can be looked at, but not "
        "changed: close it there, then open it again."
    )


def why_not_predict(case: Case | None, checkpoint: str, *, writable: bool) -> str:
    """Return why the case on screen cannot be predicted now, or ""."""
    if case is None:
        return "Open a case first"
    if not writable:
        return "This project can only be looked at"
    if not checkpoint:
        return "Choose a checkpoint first"
    if case.state == "accepted":
        return "This case is accepted: choose Back to correction first"
    return ""


def save_words(state: SaveState) -> str:
    """Return how the saving stands."""
    if state.status == "failed":
        return f"Not saved: {state.message}"
    return "All saved" if state.status == "saved" else "Saving …"


def result_words(result: Any) -> tuple[str, str]:
    """Return what came of an action, and details.

    Parameters
    ----------
    result : Predicted, Added, Exported or list of Problem
    """
    from napari_lgmsnet.core.project import Added, Exported

    if isinstance(result, Predicted):
        return f"Predicted in {duration(result.seconds)}. Paint to correct.", result.description
    if isinstance(result, Added):
        return _added(result.cases, result.known, result.problems)
    if isinstance(result, Exported):
        count = len(result.train) + len(result.validation)
        words = f"{_cases(count)} exported: {len(result.train)} for training, "
        words += f"{len(result.validation)} held out."
        return _with_problems(words, [f"{name}: {why}" for name, why in result.problems])
    errors = [str(one) for one in result if one.severity == "error"]
    notes = [str(one) for one in result if one.severity != "error"]
    if not errors:
        return "Every file is as it should be.", "\n".join(notes)
    return _with_problems("Something is wrong.", errors)


def _added(
    cases: Sequence[Any], known: Sequence[Any], problems: Sequence[tuple[Any, str]]
) -> tuple[str, str]:
    words = f"{_cases(len(cases))} added."
    if known:
        words += f" {len(known)} {'was' if len(known) == 1 else 'were'} there already."
    if not (cases or known or problems):
        words = "No image was found there."
    return _with_problems(words, [f"{path.name}: {why}" for path, why in problems])


def _with_problems(words: str, problems: list[str]) -> tuple[str, str]:
    if not problems:
        return words, ""
    if len(problems) == 1:
        return f"{words} {problems[0]}", ""
    return f"{words} {len(problems)} problems; the first: {problems[0]}", "\n".join(problems[:_FEW])


def _cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count} cases"
