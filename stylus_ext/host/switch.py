"""Whether somebody still wants what goes on for minutes; one for each open page, kept by gradio."""

from __future__ import annotations


class Switch:
    """How often the box was unticked: whoever follows the engine looks here whether it happened
    since.
    """

    def __init__(self) -> None:
        self.unticked = 0
