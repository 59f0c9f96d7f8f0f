"""What pydantic finds wrong, in words for a person."""

from __future__ import annotations

import pydantic


def first_problem(error: pydantic.ValidationError) -> tuple[str, str]:
    """Return where the first problem is, as names joined by dots, and what it is.

    Parameters
    ----------
    error : pydantic.ValidationError

    Returns
    -------
    tuple of str
        The place is empty if the problem concerns the whole.
    """
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"])
    # What this project's own checks say goes without pydantic's name for it.
    return place, problem["msg"].removeprefix("Value error, ")
