"""Make the pictures of all arms: the same prompts and seeds, in an order that is drawn anew for
each prompt and seed, so that no arm is always first.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Progress
from stylus_ext.evaluation.pictures.arms import TextWriter
from stylus_ext.evaluation.pictures.maker import PictureMaker
from stylus_ext.evaluation.pictures.manifest import (
    DEFAULT_CFG,
    ArmPicture,
    ArmTexts,
    PictureFolder,
    Place,
    sha256,
)
from stylus_ext.evaluation.pictures.prompts import EvaluationPrompt
from stylus_ext.evaluation.pictures.starts import Starts, read_starts

SIDE = 512
"""Width and height of a picture where nothing is said."""


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """What is made. `fields` go into every request, such as steps and size; every arm has
    pictures at each CFG scale of `cfg`.

    With `starts`, prompt number n starts from picture number n of that folder, in the order of
    their names; `masks` is a folder of masks in the same order, or `RANDOM_MASKS`. `model` is that
    of diffusers; None with a WebUI.
    """

    arms: tuple[str, ...]
    prompts: Sequence[EvaluationPrompt]
    seeds: tuple[int, ...]
    debias: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    plan_settings: Mapping[str, Any] = field(default_factory=dict)
    starts: Path | None = None
    cfg: tuple[float, ...] = (DEFAULT_CFG,)
    model: Path | None = None
    masks: str | None = None

    def settings(self) -> dict[str, Any]:
        """What has to be the same to resume."""
        return {
            "arms": list(self.arms),
            "prompts": [[each.text, each.negative] for each in self.prompts],
            "seeds": list(self.seeds),
            "debias": self.debias,
            "fields": dict(self.fields),
            "cfg": list(self.cfg),
            "model": None if self.model is None else str(self.model.absolute()),
            "plan_settings": dict(self.plan_settings),
            "starts": None if self.starts is None else str(self.starts.absolute()),
            "masks": self.masks,
        }

    def places(self) -> Iterator[Place]:
        """The places of the pictures, in the order of making."""
        for prompt in range(len(self.prompts)):
            for number, seed in enumerate(self.seeds):
                chance = random.Random(f"{prompt} {seed}")  # noqa: S311
                for cfg in self.cfg:
                    arms = list(self.arms)
                    chance.shuffle(arms)
                    yield from ((arm, prompt, number, cfg) for arm in arms)


def make_pictures(
    run: EvaluationRun,
    folder: PictureFolder,
    writer: TextWriter,
    maker: PictureMaker,
    progress: Progress,
) -> list[ArmPicture]:
    """Make what is missing in the folder, and return all pictures."""
    starts = read_starts(run.starts, run.masks, folder.folder)
    folder.open(run.settings())
    plans = folder.plans()
    made = {each.place: each for each in folder.pictures()}
    places = list(run.places())
    missing = [place for place in places if place not in made]
    checkpoint = next((each.checkpoint for each in made.values() if each.checkpoint), "")
    for done, place in enumerate(missing, len(places) - len(missing)):
        progress.report("Making pictures", done, len(places))
        arm, prompt, _, _ = place
        texts = plans.get((arm, prompt))
        if texts is None:
            texts = plans[arm, prompt] = writer.write(arm, prompt, run.prompts[prompt])
            folder.add_plan(texts)
        made[place] = _make(run, folder, texts, place, (starts, maker, checkpoint))
        checkpoint = checkpoint or made[place].checkpoint
    progress.report("Making pictures", len(places), len(places))
    return [made[place] for place in places]


def _make(
    run: EvaluationRun,
    folder: PictureFolder,
    texts: ArmTexts,
    place: Place,
    how: tuple[Starts, PictureMaker, str],
) -> ArmPicture:
    arm, prompt, number, cfg = place
    starts, maker, checkpoint = how
    seed = run.seeds[number]
    fields = {
        **run.fields,
        "cfg_scale": cfg,
        "prompt": texts.texts[number],
        "negative_prompt": texts.negatives[number],
        "seed": seed,
        **starts.fields(prompt, (run.fields.get("width", SIDE), run.fields.get("height", SIDE))),
    }
    received = maker.generate(fields)
    if received.seed not in (-1, seed):
        raise InvalidInput(
            f"The WebUI used seed {received.seed} in place of {seed}. Switch off scripts that"
            " change seeds."
        )
    if checkpoint and received.checkpoint not in ("", checkpoint):
        raise InvalidInput(
            f"The checkpoint is {received.checkpoint} now, and was {checkpoint}. Choose that again,"
            " or name another folder with --out."
        )
    file = folder.write_picture(place, received.data)
    made = ArmPicture(
        arm,
        prompt,
        number,
        seed,
        fields["prompt"],
        fields["negative_prompt"],
        file,
        sha256(received.data),
        received.seconds,
        round(texts.seconds / len(run.seeds), 4),
        received.checkpoint,
        received.infotext,
        cfg,
        received.memory_mb,
    )
    folder.add_picture(made)
    return made
