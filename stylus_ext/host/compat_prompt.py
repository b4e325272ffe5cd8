"""What the host does with a prompt before it makes a picture; beside `compat`. In: texts and names
of styles. Out: texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modules import shared


def styled(prompt: str, negative: str, styles: Sequence[str]) -> tuple[str, str]:
    """With the texts of the selected styles; all three hosts have one table of them."""
    table: Any = getattr(shared, "prompt_styles", None)
    if table is None or not styles:
        return prompt, negative
    return (
        str(table.apply_styles_to_prompt(prompt, list(styles))),
        str(table.apply_negative_styles_to_prompt(negative, list(styles))),
    )
