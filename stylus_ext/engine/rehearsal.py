"""What would have been chosen for the last prompts: folders of pictures go in, a line for each
prompt comes out. Nothing is rendered.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from stylus_ext.app.plan_prompt import PlanRequest
from stylus_ext.core.plan import Plan
from stylus_ext.core.ports import Progress
from stylus_ext.core.rehearsal import OldPicture
from stylus_ext.engine.planning import reach_on_disk, settings_for
from stylus_ext.engine.requests import PLAN
from stylus_ext.engine.schemas import Field, Schema

if TYPE_CHECKING:  # with it come all back ends, which a command that attaches does not need
    from stylus_ext.app.wiring_stylus import Stylus

REHEARSE: Schema = {
    "folders": Field(list, (), required=True, longest=64, items=Field(str, longest=4096)),
    "count": Field(int, 50, low=1, high=500),
    **{name: PLAN[name] for name in ("settings", "lora_dirs", "stems", "inventory", "reach")},
}


def rehearse(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    from stylus_ext.app.wiring_rehearsal import newest_pictures

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
