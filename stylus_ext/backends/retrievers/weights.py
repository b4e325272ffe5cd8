"""The ranker and the cutter of captions that come with Stylus, each read once."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from stylus_ext.core.prompt.cutter import Cutter, cutter_of
from stylus_ext.core.ranker import Ranker, ranker_of
from stylus_ext.core.signs import SIGNS

FILE = Path(__file__).resolve().parents[2] / "data" / "ranker.json"
CUTTER_FILE = FILE.with_name("cutter.json")


@cache
def ranker() -> Ranker:
    return ranker_of(json.loads(FILE.read_text("utf-8")), SIGNS)


@cache
def cutter() -> Cutter:
    return cutter_of(json.loads(CUTTER_FILE.read_text("utf-8")))
