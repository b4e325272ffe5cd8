"""The catalogue as the Stylus tab lists it: words and filters go in, a page of small cards comes
out; and counts of the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stylus_ext.core.description import KINDS, STATES
from stylus_ext.core.family import spoken
from stylus_ext.core.ports import Filter, Progress
from stylus_ext.engine.cards import card_json
from stylus_ext.engine.schemas import Field, Schema

if TYPE_CHECKING:  # with it come all back ends, which a command that attaches does not need
    from stylus_ext.app.wiring_stylus import Stylus

BROWSE: Schema = {
    "text": Field(str, "", longest=1000),
    "family": Field(str, None, longest=64),
    "kind": Field(str, None, choices=KINDS),
    "state": Field(str, None, choices=STATES),
    "on_disk": Field(bool, None),
    "refined": Field(bool, None),
    "bare": Field(bool, None),
    "offset": Field(int, 0, low=0, high=10_000_000),
    "limit": Field(int, 40, low=1, high=200),
}


def browse(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001
    keep = Filter(
        request["family"],
        request["kind"],
        request["state"],
        request["on_disk"],
        refined=request["refined"],
        bare=request["bare"],
    )
    page = stylus.store.search(request["text"], keep, request["offset"], request["limit"])
    cards = [
        card_json(stylus, entry) | {"refined": entry.description.refined, "bare": entry.card.bare}
        for entry in page.entries
    ]
    return {"total": page.total, "entries": cards}


def overview(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001
    tally = stylus.tallies.tally()
    families = [
        {"family": name, "name": spoken(name), "entries": number, "on_disk": here}
        for name, (number, here) in tally.families.items()
    ]
    return {
        "entries": tally.entries,
        "on_disk": tally.on_disk,
        "families": families,
        "kinds": dict(tally.kinds),
        "states": dict(tally.states),
        "refined": tally.refined,
        "bare": tally.bare,
        "duplicates": tally.duplicates,
        "unnamed": tally.unnamed,
    }
