"""The ranker that comes with Stylus, read once."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from stylus_ext.core.ranker import Ranker, ranker_of
from stylus_ext.core.signs import SIGNS

FILE = Path(__file__).resolve().parents[2] / "data" / "ranker.json"


@cache
def ranker() -> Ranker:
    return ranker_of(json.loads(FILE.read_text("utf-8")), SIGNS)
