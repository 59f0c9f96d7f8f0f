"""Controls that say why they cannot be used."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget


def allow(control: QWidget, why_not: str, tooltip: str) -> None:
    """Enable a control, or say in its tooltip why it cannot be used.

    Parameters
    ----------
    control : QWidget
    why_not : str
        What has to be done first; empty if it can be used.
    tooltip : str
        What it does.
    """
    control.setEnabled(not why_not)
    control.setToolTip(f"{why_not}: {tooltip[0].lower()}{tooltip[1:]}" if why_not else tooltip)
