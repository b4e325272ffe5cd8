"""Starts the engine with the WebUI if the panel was enabled the last time."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

from stylus_ext.core.files import write_file
from stylus_ext.host import options
from stylus_ext.host.checkpoint import object_at

logger = logging.getLogger(__name__)

OPTION = "start_early"
_ENABLED = "enabled"


def remember_enabled(enabled: bool) -> None:
    file = _file()
    if _was_enabled(file) == enabled:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_file(file, json.dumps({_ENABLED: enabled}))
    except OSError as error:
        logger.info("the panel's state is not kept: %s", error)


def start_early() -> None:
    """Return at once; the engine starts beside the WebUI."""
    threading.Thread(target=_start, name="stylus-early-start", daemon=True).start()


def _start() -> None:
    if not options.own(OPTION) or not _was_enabled(_file()):
        return
    from stylus_ext.host.planner import current_planner

    current_planner().engine.start()


def _file() -> Path:
    return options.data_folder() / "panel.json"


def _was_enabled(file: Path) -> bool:
    return object_at(file).get(_ENABLED) is True
