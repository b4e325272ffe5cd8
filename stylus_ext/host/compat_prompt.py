"""What the host does with a prompt before it makes a picture, and where it puts pictures. The other half of `compat`.

In: texts and names of styles. Out: texts, and folders as the host has them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modules import shared

from stylus_ext.host import compat


def styled(prompt: str, negative: str, styles: Sequence[str]) -> tuple[str, str]:
    """With the texts of the selected styles; all three hosts have one table of them."""
    table: Any = getattr(shared, "prompt_styles", None)
    if table is None or not styles:
        return prompt, negative
    return (
        str(table.apply_styles_to_prompt(prompt, list(styles))),
        str(table.apply_negative_styles_to_prompt(negative, list(styles))),
    )


def picture_folders() -> list[str]:
    """Where the pictures of both tabs go: one folder for all, or one for each."""
    one = compat.option("outdir_samples", "")
    stated = [one] if one else [compat.option("outdir_txt2img_samples", ""), compat.option("outdir_img2img_samples", "")]
    folders = []
    for folder in dict.fromkeys(stated):
        with contextlib.suppress(OSError):
            path = Path(folder).expanduser().absolute()
            if folder and path.is_dir():
                folders.append(str(path))
    return folders
