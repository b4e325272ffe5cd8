"""Forge Neo where it differs: several LoRA folders, engines by class, its own copies of the prompts
for infotexts, and X/Y/Z axes in a library.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from tests.host.double import processing as way
from tests.host.double.webui import ALWAYS_VISIBLE, Host, Script

SAVE_COMMENTS = "save_prompt_comments"
COMMENT = re.compile(r"/\*.*?\*/|[^\S\n]*(#|//).*")


def strip_comments(text: str) -> str:
    return COMMENT.sub("", text)


class Comments(Script):
    """The host's own script, which comes after those of extensions unless the user sorts it."""

    __module__ = "comments.py"
    host: ForgeNeo

    def title(self) -> str:
        return "Comments"

    def show(self, is_img2img: bool) -> Any:
        return ALWAYS_VISIBLE

    def ui(self, is_img2img: bool) -> list[Any]:
        return []

    def process(self, p: Any, *args: Any) -> None:
        if self.host.opts.data[SAVE_COMMENTS]:
            p._all_prompts_c = list(p.all_prompts)
            p._all_negative_prompts_c = list(p.all_negative_prompts)
        for name in ("all_prompts", "all_negative_prompts"):
            setattr(p, name, [strip_comments(text) for text in getattr(p, name)])
        p.main_prompt = strip_comments(p.main_prompt)


class ForgeNeo(Host):
    def __init__(self, data_path: Path, monkeypatch: Any) -> None:
        super().__init__(data_path, monkeypatch)
        self.opts.data |= {SAVE_COMMENTS: False, "refiner_lora_replacement": "high_noise=low_noise"}
        self.cmd_opts.lora_dirs = []
        Comments.host = self
        self.others = [Comments]

    def start(self) -> None:
        super().start()
        for data in self.scripts.scripts_data:
            if data.script_class is Comments:
                data.module = SimpleNamespace(strip_comments=strip_comments)

    def keep_axes_in_library(self, monkeypatch: Any) -> list[Any]:
        """The later place of the axes; returns their list."""
        axes, kind = self.xyz_module.axis_options, self.xyz_module.AxisOption
        vars(self.xyz_module).clear()
        for name, values in (
            ("builtins", {"builtin_options": axes}),
            ("classes", {"AxisOption": kind}),
        ):
            module = ModuleType(f"lib_xyz.{name}")
            vars(module).update(values)
            monkeypatch.setitem(sys.modules, module.__name__, module)
        return list(axes)

    def load(self, name: str, monkeypatch: Any, title: str = "a checkpoint") -> None:
        """Load a model of this engine class."""
        kind = type(name, (), {"__module__": f"backend.diffusion_engine.{name.lower()}"})
        self.model = kind()
        self.model.is_wan = name in ("Wan", "Anima", "QwenImage", "Krea2")
        self.model.sd_checkpoint_info = SimpleNamespace(
            name_for_extra=title, filename="", sha256="", metadata={}
        )
        models = sys.modules["modules.sd_models"]
        monkeypatch.setattr(models, "model_data", SimpleNamespace(sd_model=self.model))

    def told(self, p: Any, index: int) -> str:
        saved = getattr(p, "_all_prompts_c", None)
        if not self.opts.data[SAVE_COMMENTS] or saved is None:
            return super().told(p, index)
        part = slice(p.iteration * p.batch_size, (p.iteration + 1) * p.batch_size)
        return way.infotext(p, saved[part], p._all_negative_prompts_c[part], p.seeds, index)

    def grid_told(self, p: Any) -> str:
        if self.opts.data[SAVE_COMMENTS]:
            return self.told(p, 0)
        return super().grid_told(p)
