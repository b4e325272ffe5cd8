"""The user's recipes over HTTP: one to keep or to forget, many to take in, or a prompt goes in;
recipes come out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Progress
from stylus_ext.core.recipes import LONGEST_PROMPT, Recipe, recipe_json, recipe_of
from stylus_ext.engine.schemas import Field, Schema

if TYPE_CHECKING:  # with it come all back ends, which a command that attaches does not need
    from stylus_ext.app.wiring_stylus import Stylus

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
