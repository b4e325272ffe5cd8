"""Old pictures are wired here: folders go in, what the newest pictures in them were made with comes
out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stylus_ext.catalogue.sources.pictures.learn import recent_pictures
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.plan import Plan
from stylus_ext.core.ports import OldPicture, Progress
from stylus_ext.core.recipes import LONGEST_PROMPT, Recipe, recipe_json, recipe_of
from stylus_ext.engine.operations.plan import reach_on_disk, settings_for
from stylus_ext.engine.requests import PLAN, Field, Schema
from stylus_ext.engine.stylus import PICTURES, checked_folder
from stylus_ext.selection.plan import MOST_CHARACTERS, PlanRequest

if TYPE_CHECKING:
    from stylus_ext.engine.stylus import Stylus


def newest_pictures(folders: Sequence[str], count: int, progress: Progress) -> list[OldPicture]:
    return recent_pictures(
        [checked_folder(folder, PICTURES) for folder in folders], count, progress
    )


VERDICT: Schema = {
    "key": Field(str, required=True, longest=4096),
    "prompt": Field(str, required=True, longest=MOST_CHARACTERS),
    "wrong": Field(bool, True),
}


def verdict(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001
    key = stylus.entry(request["key"]).key
    stylus.verdicts.tell(key, request["prompt"], wrong=request["wrong"])
    return {
        "key": str(key),
        "times": sum(one.times for one in stylus.verdicts.all() if one.key == key),
    }


RECIPES: Schema = {
    "keep": Field(list, None, longest=1000, items=Field(dict)),
    "forget": Field(str, None, longest=1000),
    "like": Field(str, None, longest=LONGEST_PROMPT),
}


def recipes(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001
    """Of those to keep all are checked before the first is kept."""
    said = []
    if request["keep"] is not None:
        taken = [recipe_of(one) for one in request["keep"]]
        for recipe in taken:
            stylus.recipes.keep(recipe)
        said.append("1 recipe is kept." if len(taken) == 1 else f"{len(taken)} recipes are kept.")
    if request["forget"] is not None:
        if not stylus.recipes.forget(request["forget"]):
            raise InvalidInput(f"There is no recipe called {request['forget'][:80]!r}.")
        said.append("The recipe is deleted.")
    every = stylus.recipes.all()
    like = (request["like"] or "").strip()
    found = stylus.find_recipes(every, like) if like else [(recipe, None) for recipe in every]
    return {
        "said": " ".join(said),
        "recipes": [_told(stylus, recipe, alike) for recipe, alike in found],
    }


def _told(stylus: Stylus, recipe: Recipe, alike: float | None) -> dict[str, Any]:
    """With what this catalogue has of its adapters on disk now."""
    known = stylus.store.read([one.key for one in recipe.adapters])
    here = [str(key) for key, entry in known.items() if entry.stem is not None]
    return {**recipe_json(recipe), "alike": alike, "on_disk": here}


REHEARSE: Schema = {
    "folders": Field(list, (), required=True, longest=64, items=Field(str, longest=4096)),
    "count": Field(int, 50, low=1, high=500),
    **{name: PLAN[name] for name in ("settings", "lora_dirs", "stems", "inventory", "reach")},
}


def rehearse(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    began = time.perf_counter()
    pictures = newest_pictures(request["folders"], request["count"], progress)
    settings, there = (
        settings_for(stylus.settings, request["settings"]),
        reach_on_disk(stylus, request, empty=False),
    )
    rows = []
    for number, picture in enumerate(pictures):
        progress.report("planning", number, len(pictures))
        plan = stylus.plan(
            PlanRequest(
                picture.prompt,
                picture.negative,
                seeds=(picture.seed,),
                settings=settings,
                on_disk=there,
            )
        )
        rows.append(_row(picture, plan))
    return {
        "rows": rows,
        "chosen": sum(bool(row["picks"]) for row in rows),
        "same": sum(row["same"] for row in rows),
        "elapsed_ms": round((time.perf_counter() - began) * 1000, 1),
    }


def _row(picture: OldPicture, plan: Plan) -> dict[str, Any]:
    """`same`: what would be chosen is what was used."""
    stems = {tag.key: tag.stem for tag in plan.tags}
    return {
        "picture": picture.name,
        "prompt": picture.prompt,
        "used": [{"name": name, "weight": weight} for name, weight in picture.used],
        "picks": [
            {
                "key": str(pick.key),
                "name": pick.name,
                "stem": stems[pick.key],
                "weight": pick.weight,
                "reason": pick.reason,
            }
            for pick in plan.composition.picks
        ],
        "same": {name for name, _ in picture.used} == set(stems.values()),
        "notes": [note.text for note in plan.notes],
    }
