"""A small StylusDocs, as published: the record class lives here for the making of pickles alone,
under the published names.
"""

from __future__ import annotations

import importlib
import random
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

NEW, OLD = "stylus.refiner.fetch_adapter_metadata", "autoadapter.precompute.process_adapters"
DIMENSIONS = 3072


@dataclass
class AdapterInfo:
    """The fields of a published record."""

    adapter_id: Any
    alias: Any
    title: Any
    base_model: Any = "SD 1.5"
    description: Any = ""
    tags: Any = field(default_factory=list)
    trigger_words: Any = field(default_factory=list)
    stats: Any = field(default_factory=dict)
    download_url: Any = ""
    llm_description: Any = None
    image_urls: Any = None
    image_prompts: Any = None
    image_negative_prompts: Any = None
    weight: Any = 0.8


def adapter(number: int, **changes: Any) -> AdapterInfo:
    """Model `number`, whose version is a million more."""
    values: dict[str, Any] = {
        "adapter_id": number,
        "alias": f"adapter_{number}",
        "title": f"Adapter {number}",
        "description": f"The author's words about {number}.",
        "tags": ["style", f"tag{number}"],
        "trigger_words": [f"trigger{number}"],
        "stats": {"downloadCount": 100 + number, "ratingCount": 10, "rating": 4.5},
        "download_url": f"https://civitai.com/api/download/models/{1_000_000 + number}",
        "image_urls": [f"https://image.civitai.com/{number}-{at}.jpeg" for at in range(5)],
        "image_prompts": [f"a picture {at} of adapter {number}" for at in range(4)] + ["None"],
        "image_negative_prompts": ["bad"] * 5,
    }
    return AdapterInfo(**{**values, **changes})


@contextmanager
def known_as(module: str, name: str = "AdapterInfo") -> Iterator[None]:
    """While this is open, the class can be pickled as a member of that module."""
    parts = module.split(".")
    made = [
        ".".join(parts[: at + 1])
        for at in range(len(parts))
        if ".".join(parts[: at + 1]) not in sys.modules
    ]
    before = AdapterInfo.__module__, AdapterInfo.__qualname__
    for each in made:
        sys.modules[each] = types.ModuleType(each)
    setattr(sys.modules[module], name, AdapterInfo)
    AdapterInfo.__module__, AdapterInfo.__qualname__ = module, name
    try:
        yield
    finally:
        AdapterInfo.__module__, AdapterInfo.__qualname__ = before
        for each in made:
            del sys.modules[each]


def pickled(
    thing: object, module: str = NEW, protocol: int = 4, name: str = "AdapterInfo"
) -> bytes:
    """By the real pickle, which the product itself never imports."""
    with known_as(module, name):
        data: bytes = importlib.import_module("pickle").dumps(thing, protocol=protocol)
        return data


def publish(
    folder: Path,
    adapters: Sequence[AdapterInfo],
    *,
    texts: dict[int, str] | None = None,
    dtype: str = "float64",
    width: int = DIMENSIONS,
    vectors: bool = True,
) -> Path:
    """The three parts, as they lie in the published folder."""
    cache = folder / "cache"
    (cache / "ultra_model").mkdir(parents=True, exist_ok=True)
    (cache / "sd_adapters.pkl").write_bytes(pickled(list(adapters), OLD))
    for model, text in (texts or {}).items():
        (cache / "ultra_model" / f"{model}.txt").write_text(text, "utf-8")
    if vectors:
        np.save(cache / "sd_embeddings.npy", matrix(len(adapters), width).astype(dtype))
    return folder


def matrix(rows: int, width: int = DIMENSIONS) -> np.ndarray[Any, np.dtype[np.float64]]:
    made = np.random.default_rng(5).standard_normal((rows, width))
    unit: np.ndarray[Any, np.dtype[np.float64]] = made / np.linalg.norm(made, axis=1, keepdims=True)
    return unit


def many(number: int, pictures: int = 20) -> list[AdapterInfo]:
    """As long as real ones, for measuring."""
    rng = random.Random(3)
    words = [f"word{at}" for at in range(500)]

    def said(length: int) -> str:
        return " ".join(rng.choices(words, k=length))

    return [
        adapter(
            at,
            title=said(4),
            description=said(80),
            image_urls=[f"https://image.civitai.com/{at}-{each}.jpeg" for each in range(pictures)],
            image_prompts=[said(40) for _ in range(pictures)],
            image_negative_prompts=[said(30) for _ in range(pictures)],
        )
        for at in range(1, number + 1)
    ]
