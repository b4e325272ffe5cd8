"""What can be asked of the engine, field by field, with the limits of each."""

from __future__ import annotations

from stylus_ext.app.plan_prompt import MOST_BATCHES, MOST_CHARACTERS
from stylus_ext.core.description import KINDS, STATES
from stylus_ext.core.sources import CIVITAI, MOST_MODELS, SERVICES
from stylus_ext.engine.schemas import Field, Schema

LAST_SEED = 2**63 - 1
LONGEST_S = 3600.0
REACHES = ("auto", "disk", "catalogue")
_FOLDERS = Field(list, (), longest=64, items=Field(str, longest=4096))

NOT_FETCHED: Schema = {
    "key": Field(str, required=True, longest=4096),
    "text": Field(str, required=True, longest=2000),
}
KEPT: Schema = {
    "key": Field(str, required=True, longest=4096),
    "weight": Field(float, None, low=-5.0, high=5.0),
    "task": Field(int, None, low=0, high=MOST_CHARACTERS),
    "pinned": Field(bool, False),
}
_KEYS = Field(list, (), longest=200, items=Field(str, longest=4096))
CORRECTIONS: Schema = {
    "reject": _KEYS,
    "swap": _KEYS,
    "keep": Field(list, (), longest=50, items=Field(dict, fields=KEPT)),
    "only": Field(bool, False),
}
PLAN: Schema = {
    "prompt": Field(str, required=True, longest=MOST_CHARACTERS),
    "negative_prompt": Field(str, "", longest=MOST_CHARACTERS),
    "seed": Field(int, 0, low=0, high=LAST_SEED),
    "batches": Field(int, 1, low=1, high=MOST_BATCHES),
    "batch_size": Field(int, 1, low=1, high=1024),
    "seeds": Field(list, None, longest=MOST_BATCHES, items=Field(int, low=0, high=LAST_SEED)),
    "settings": Field(dict, {}),
    "lora_dirs": _FOLDERS,
    "stems": Field(list, None, longest=200_000, items=Field(str, longest=1024)),
    "inventory": Field(str, None, longest=64),
    "reach": Field(str, "auto", choices=REACHES),
    "deadline_s": Field(float, None, low=0.0, high=LONGEST_S),
    "downloads": Field(bool, False),
    "without": Field(list, None, longest=100, items=Field(dict, fields=NOT_FETCHED)),
    "corrections": Field(dict, None, fields=CORRECTIONS),
}
LISTED: Schema = {
    "stem": Field(str, required=True, longest=1024),
    "sha256": Field(str, "", longest=64),
    "auto_v3": Field(str, "", longest=64),
    "family": Field(str, "", longest=64),
}
INVENTORY: Schema = {
    "items": Field(list, None, longest=100_000, items=Field(dict, fields=LISTED)),
    "inventory": Field(str, None, longest=64),
}
INDEX: Schema = {
    "lora_dirs": _FOLDERS,
    "learn": _FOLDERS,
    "hash": Field(bool, True),
}
SEARCH: Schema = {
    "text": Field(str, "", longest=1000),
    "family": Field(str, None, longest=64),
    "kind": Field(str, None, choices=KINDS),
    "state": Field(str, None, choices=STATES),
    "on_disk": Field(bool, None),
    "offset": Field(int, 0, low=0, high=10_000_000),
    "limit": Field(int, 20, low=1, high=500),
}
CARDS: Schema = {
    "keys": Field(list, (), required=True, longest=500, items=Field(str, longest=4096))
}
SHOW: Schema = {"key": Field(str, required=True, longest=4096)}
EDIT: Schema = {
    "key": Field(str, required=True, longest=4096),
    "state": Field(str, None, choices=STATES),
    "text": Field(str, None, longest=20_000),
    "triggers": Field(list, None, longest=100, items=Field(str, longest=2000)),
    "weight": Field(float, None, low=-5.0, high=5.0),
    "kind": Field(str, None, choices=KINDS),
    "undo": Field(bool, False),
}
SYNC: Schema = {
    "source": Field(str, CIVITAI, choices=SERVICES),
    "query": Field(str, "", longest=200),
    "tag": Field(str, "", longest=100),
    "base_models": Field(list, (), longest=50, items=Field(str, longest=100)),
    "top": Field(int, 0, low=0, high=MOST_MODELS),
    "nsfw": Field(bool, False),
    "examples": Field(bool, False),
    "afresh": Field(bool, False),
}
IDENTIFY: Schema = {
    "lora_dirs": Field(list, (), required=True, longest=64, items=Field(str, longest=4096)),
    "again": Field(bool, False),
}
FETCH: Schema = {
    "keys": Field(list, (), required=True, longest=100, items=Field(str, longest=4096)),
    "lora_dirs": _FOLDERS,
    "dry_run": Field(bool, False),
}
DISCARD: Schema = {
    "keys": Field(list, None, longest=1000, items=Field(str, longest=4096)),
    "days": Field(int, 30, low=1, high=3650),
    "dry_run": Field(bool, False),
}
