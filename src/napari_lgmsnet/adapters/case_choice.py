"""Which cases a person goes through, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from napari_lgmsnet.core.project import Case, Project, State

Order = Literal["position", "doubt"]


@dataclass(frozen=True)
class Choice:
    """Which cases a person goes through, and in which order.

    Parameters
    ----------
    states : tuple of str or None
        None for all.
    min_doubt : float or None
    order : "position" or "doubt"
    """

    states: tuple[State, ...] | None = None
    min_doubt: float | None = None
    order: Order = "position"

    def cases(self, project: Project) -> list[Case]:
        """Return the chosen cases."""
        return project.cases.all(self.states, self.min_doubt, self.order)

    def step(self, project: Project, here: int | None, step: Literal[1, -1]) -> Case | None:
        """Return the next or the previous one of them; None at the end."""
        return project.cases.next(here, self.states, self.min_doubt, self.order, step)

    def new_cases(self, project: Project, here: int | None, *, everything: bool) -> list[Case]:
        """Return the next case if it is new; or all new ones, from here on and round again.

        Parameters
        ----------
        project : Project
        here : int or None
            The case on screen.
        everything : bool
            All of them, those that are not listed as well.
        """
        if not everything:
            case = self.step(project, here, 1)
            return [case] if case is not None and case.state == "new" else []
        cases = project.cases.all(order=self.order)
        numbers = [case.id for case in cases]
        start = numbers.index(here) if here in numbers else 0
        return [case for case in [*cases[start:], *cases[:start]] if case.state == "new"]
