"""reForge where it differs: comments, the texts that its infotexts have, and a missing name that
costs all LoRAs (seen on the live host).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from tests.host.double import processing as way
from tests.host.double.webui import ALWAYS_VISIBLE, Host, Script

SAVE_COMMENTS = "enable_prompt_comments_def"
_BLOCK = re.compile(r"^/\*.*?\*/(\n|$)", re.MULTILINE | re.DOTALL)
_LINE = re.compile(r"(#|//|/\*|\*/).*(\n|$)")


def strip_comments(text: str) -> str:
    return _LINE.sub("\n", _BLOCK.sub("\n", text))


class Comments(Script):
    """A script of the host's own; those come after the scripts of extensions."""

    def title(self) -> str:
        return "Comments"

    def show(self, is_img2img: bool) -> Any:
        return ALWAYS_VISIBLE

    def ui(self, is_img2img: bool) -> list[Any]:
        return []

    def process(self, p: Any, *args: Any) -> None:
        for name in (
            "all_prompts",
            "all_negative_prompts",
            *(("all_hr_prompts", "all_hr_negative_prompts") if p.enable_hr else ()),
        ):
            setattr(p, name, [strip_comments(text) for text in getattr(p, name)])
        p.main_prompt, p.main_negative_prompt = (
            strip_comments(p.main_prompt),
            strip_comments(p.main_negative_prompt),
        )


class ReForge(Host):
    def __init__(self, data_path: Path, monkeypatch: Any) -> None:
        super().__init__(data_path, monkeypatch)
        module = ModuleType("modules.processing")
        vars(module)["comments_parser"] = SimpleNamespace(strip_comments=strip_comments)
        monkeypatch.setitem(sys.modules, "modules.processing", module)
        self.opts.data[SAVE_COMMENTS] = False
        self.loras.all_or_none = True
        self.others = [Comments]

    def say_hires(self, p: Any) -> None:
        """As in A1111 1.10: it looks into the lists, at the picture's place in its own batch."""
        params = p.extra_generation_params
        params["Hires prompt"] = lambda p, index, text, _: (
            None if p.all_hr_prompts[index] == text else p.all_hr_prompts[index]
        )
        params["Hires negative prompt"] = lambda p, index, _, text: (
            None if p.all_hr_negative_prompts[index] == text else p.all_hr_negative_prompts[index]
        )

    def told(self, p: Any, index: int) -> str:
        """With "Save comments" the boxes' texts, written into the lists themselves."""
        if self.opts.data[SAVE_COMMENTS]:
            p.prompts[index], p.negative_prompts[index] = p.prompt, p.negative_prompt
            return super().told(p, index)
        prompts, negatives = (
            [strip_comments(text) for text in p.prompts],
            [strip_comments(text) for text in p.negative_prompts],
        )
        return way.infotext(p, prompts, negatives, p.seeds, index)

    def grid_told(self, p: Any) -> str:
        """Of the last batch's first picture: the host asks for the main prompt, and forgets it on
        the way.
        """
        return self.told(p, 0)
