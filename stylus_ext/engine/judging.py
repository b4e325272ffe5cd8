"""What the user found wrong, over HTTP: an adapter and a prompt go in, what stands of them now
comes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stylus_ext.app.plan_prompt import MOST_CHARACTERS
from stylus_ext.core.ports import Progress
from stylus_ext.engine.schemas import Field, Schema

if TYPE_CHECKING:  # with it come all back ends, which a command that attaches does not need
    from stylus_ext.app.wiring_stylus import Stylus

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
