"""Operations on the user's data: feedback, recipes, and plans for past pictures."""

from __future__ import annotations

import time
from typing import Any

from stylus_ext.catalogue.sources.pictures.learn import recent_pictures
from stylus_ext.core.composition import Mask
from stylus_ext.core.counted import counted
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.plan import Plan
from stylus_ext.core.ports import PastPicture, Progress
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.recipes import Recipe, recipe_json, recipe_of
from stylus_ext.core.settings import Settings, WeightSettings
from stylus_ext.core.tags import own_weight, weigh
from stylus_ext.engine.catalogue import PICTURE_FOLDER, Catalogue, checked_folder
from stylus_ext.engine.operations.plan import plan_settings, reach_on_disk
from stylus_ext.engine.requests import RecipesInput, RehearseInput, VerdictInput
from stylus_ext.engine.stylus import PlanService, UserData
from stylus_ext.selection.plan import PlanRequest


def verdict(catalogue: Catalogue, user_data: UserData, request: VerdictInput) -> dict[str, Any]:
    """Records that an adapter was wrong, or right, for a prompt."""
    key = catalogue.entry(request.key).key
    user_data.feedback.tell(key, request.prompt, wrong=request.wrong)
    times = sum(verdict.times for verdict in user_data.feedback.all() if verdict.key == key)
    return {"key": str(key), "times": times}


def recipes(catalogue: Catalogue, user_data: UserData, request: RecipesInput) -> dict[str, Any]:
    """Keeps and deletes recipes, then lists them; nothing is kept unless all are valid."""
    done = []
    if request.keep is not None:
        new = [recipe_of(recipe) for recipe in request.keep]
        for recipe in new:
            user_data.recipes.keep(recipe)
        done.append(f"{counted(len(new), 'recipe is', 'recipes are')} kept.")
    if request.forget is not None:
        if not user_data.recipes.forget(request.forget):
            raise InvalidInput(f"There is no recipe called {request.forget[:80]!r}.")
        done.append("The recipe is deleted.")
    recipes = user_data.recipes.all()
    prompt = (request.like or "").strip()
    found: list[tuple[Recipe, float | None]] = [(recipe, None) for recipe in recipes]
    if prompt:
        found = [*user_data.find_recipes(recipes, prompt)]
    rows = [_recipe_row(catalogue, recipe, similarity) for recipe, similarity in found]
    return {"message": " ".join(done), "recipes": rows}


def _recipe_row(catalogue: Catalogue, recipe: Recipe, similarity: float | None) -> dict[str, Any]:
    entries = catalogue.store.read([adapter.key for adapter in recipe.adapters])
    on_disk = [str(key) for key, entry in entries.items() if entry.stem is not None]
    return {**recipe_json(recipe), "alike": similarity, "on_disk": on_disk}


def rehearse(
    catalogue: Catalogue,
    planner: PlanService,
    base_settings: Settings,
    request: RehearseInput,
    progress: Progress,
) -> dict[str, Any]:
    """Plans the prompts of the newest pictures in some folders, to compare with what they used."""
    started = time.perf_counter()
    folders = [checked_folder(folder, PICTURE_FOLDER) for folder in request.folders]
    pictures = recent_pictures(folders, request.count, progress)
    settings = plan_settings(base_settings, request.settings)
    on_disk = reach_on_disk(catalogue, request, empty=False)
    rows = []
    for number, picture in enumerate(pictures):
        progress.report("planning", number, len(pictures))
        plan = planner.plan(
            PlanRequest(
                picture.prompt,
                picture.negative,
                seeds=(picture.seed,),
                settings=settings,
                on_disk=on_disk,
            )
        )
        rows.append(_picture_row(picture, plan, settings.weights))
    return {
        "rows": rows,
        "chosen": sum(bool(row["picks"]) for row in rows),
        "same": sum(row["same"] for row in rows),
        "elapsed_ms": round((time.perf_counter() - started) * 1000, 1),
    }


def _picture_row(picture: PastPicture, plan: Plan, settings: WeightSettings) -> dict[str, Any]:
    """`same`: the plan picks what the picture used; `off`: the mask of its seed leaves a pick out.

    Weights are those of a batch with all picks, after the limit on their sum.
    """
    stems = {tag.key: tag.stem for tag in plan.tags}
    picked = frozenset(pick.key for pick in plan.composition.picks)
    own = own_weight(parse_prompt(plan.prompt).user_tags)
    weights = weigh(plan.composition, Mask(picked), settings, own)
    return {
        "picture": picture.name,
        "prompt": picture.prompt,
        "used": [{"name": name, "weight": weight} for name, weight in picture.used],
        "picks": [
            {
                "key": str(pick.key),
                "name": pick.name,
                "stem": stems[pick.key],
                "weight": weights[pick.key],
                "off": pick.key not in plan.masks[0].on,
                "reason": pick.reason,
            }
            for pick in plan.composition.picks
        ],
        "same": {name for name, _ in picture.used} == set(stems.values()),
        "notes": [note.text for note in plan.notes],
    }
