"""The services' keys, written and never read: which service, and what to do, go in; whether there
is a key comes out.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Progress
from stylus_ext.engine.schemas import Field, Schema

if TYPE_CHECKING:  # with it come all back ends, which a command that attaches does not need
    from stylus_ext.app.wiring_stylus import Stylus

SERVICES = ("civitai", "hugging_face", "chat")
KEYS: Schema = {
    "service": Field(str, None, choices=SERVICES),
    "enter": Field(str, None, longest=4096),
    "forget": Field(bool, False),
    "check": Field(bool, False),
}


def keys(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001
    """At most one of `enter`, `forget` and `check`; then what there is now."""
    asked = [name for name in ("enter", "forget", "check") if request[name]]
    if len(asked) > 1 or (asked and request["service"] is None):
        raise InvalidInput(
            "A key is entered, forgotten or tried for one service at a time: say which."
        )
    ring, service = stylus.keys, request["service"]
    said = ""
    if request["enter"]:
        said = ring.enter(service, request["enter"])
    elif asked:
        said = (ring.forget if request["forget"] else ring.check)(service)
    return {"said": said, "keys": [asdict(state) for state in ring.states()]}
