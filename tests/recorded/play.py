"""Runs one recorded generation in the double of the host: plain JSON in, plain JSON out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from tests.host.double.fixtures import Stage
from tests.host.double.processing import Processing, parse_generation_parameters, process_images

SESSION = "the-page-of-the-recording.txt2img"
FIELDS = (
    "Stylus prompt",
    "Stylus negative prompt",
    "Stylus mask",
    "Stylus family",
    "Stylus settings",
)
LISTS = ("all_prompts", "all_negative_prompts", "all_hr_prompts", "all_hr_negative_prompts")


class Seen:
    """A picture that an interrogator can look at."""

    info: Mapping[str, str] = {}
    pixels = ("seen",)

    def convert(self, mode: str) -> Seen:
        return self


@dataclass
class Mixed(Processing):
    """A generation whose lists another script has changed before Stylus sees them."""

    lists: Mapping[str, list[str]] = field(default_factory=dict)
    work: Any = None

    def setup_prompts(self) -> None:
        super().setup_prompts()
        for name, texts in self.lists.items():
            setattr(self, name, list(texts))

    def init(self) -> None:
        self.work = getattr(self, "stylus_work", None)
        super().init()


def play(stage: Stage, stems: list[str], case: Mapping[str, Any]) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        return _play(stage, stems, case, patch)


def _play(
    stage: Stage, stems: list[str], case: Mapping[str, Any], patch: pytest.MonkeyPatch
) -> dict[str, Any]:
    from stylus_ext.host.preview_sessions import PickLock, PromptCorrections

    host = stage.host
    listed: dict[str, Any] = host.loras.available_networks
    hidden = frozenset(case.get("unlisted", ()))
    files = {stem: f"file of {stem}" for stem in stems if stem not in hidden}
    for known in (listed, host.loras.available_network_aliases):
        known.clear()
        known.update(files)
    patch.setattr(host.opts, "data", {**host.opts.data, **case.get("options", {})})
    described = case.get("described", "")
    if described:
        made = SimpleNamespace(
            blip_model=object(), clip_model=object(), interrogate=lambda _: described
        )
        patch.setattr(sys.modules["modules.shared"], "interrogator", made)
    session = stage.planner.sessions.at(SESSION)
    locked = case.get("locked")
    session.lock = (
        None
        if locked is None
        else PickLock(locked["family"], {key: tuple(said) for key, said in locked["picks"].items()})
    )
    session.words = PromptCorrections(**case.get("words", {}))
    done = process_images(_processing(stage, case))
    p = done.p
    assert host.errors == []
    return {
        **{name: getattr(p, name) or [] for name in LISTS},
        "main": [p.main_prompt, p.main_negative_prompt],
        "batches": [p.n_iter, p.batch_size],
        "seeds": p.all_seeds,
        "fields": [_fields(text) for text in done.infotexts],
        "codes": list(dict.fromkeys(note.code for note in p.work.notes)),  # texts may be equal
        "named": {stem: list(said) for stem, said in sorted(p.work.named.items())},
    }


def _processing(stage: Stage, case: Mapping[str, Any]) -> Mixed:
    more = dict(case["fields"])
    if case.get("img2img"):
        more |= {
            "init_images": [Seen()],
            "image_mask": "mask" if case["img2img"] == "mask" else None,
        }
    p = Mixed(stage.host, is_api=True, lists=case.get("lists", {}), **more)
    tab = stage.host.img2img if case.get("img2img") else stage.host.txt2img
    p.give_scripts(tab, (0, {"enabled": True, "session_id": SESSION, **case["stylus"]}))
    return p


def _fields(infotext: str) -> dict[str, str]:
    params = parse_generation_parameters(infotext)
    return {name: params[name] for name in FIELDS if name in params}
