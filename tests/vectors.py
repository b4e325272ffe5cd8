"""Unit vectors and items for tests of vector indexes; the same fingerprint always gives the same
vector.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stylus_ext.catalogue.vectors.chroma import ChromaHome
from stylus_ext.catalogue.vectors.index import storage_name
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import View
from stylus_ext.core.ports import Matrix, VectorItem

WIDE = 24


def unit(*fingerprints: str, wide: int = WIDE) -> Matrix:
    rows = [
        np.random.default_rng(zlib.crc32(text.encode())).standard_normal(wide)
        for text in fingerprints
    ]
    out = np.array(rows, dtype=np.float64).reshape(len(rows), wide)
    return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True), dtype=np.float32)


def item(
    number: int, view: View = "card", family: str = "sd1", fingerprint: str = ""
) -> VectorItem:
    return VectorItem(AdapterKey.civitai(number), view, family, fingerprint or f"print-{number}")


def made(items: Sequence[VectorItem], wide: int = WIDE) -> Matrix:
    return unit(*(entry.fingerprint for entry in items), wide=wide)


def chroma_of(folder: Path, url: str = "") -> ChromaHome:
    """What Chroma keeps for an index of the embedder "bag"."""
    return ChromaHome(folder / "chroma", url, storage_name("bag", str(WIDE)))


def cache_of(folder: Path, url: str = "") -> Path:
    """The cache folder of an index of the embedder "bag"."""
    return folder / storage_name("bag", str(WIDE), url)


def write_old_cache(
    folder: Path, view: str, *batches: dict[str, list[str]], wide: int = WIDE
) -> None:
    """Write a cache in the format of 0.1.0."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{view}.json").write_text('{"generation": 3}')
    (folder / f"{view}.2.rows").write_bytes(b"left over")
    prints = [made for batch in batches for made in batch.get("prints", ())]
    (folder / f"{view}.3.vectors").write_bytes(unit(*prints, wide=wide).tobytes())
    lines = [json.dumps(batch).encode() for batch in batches]
    (folder / f"{view}.3.rows").write_bytes(
        b"".join(b"%08x %b\n" % (zlib.crc32(line), line) for line in lines)
    )


def clustered(count: int, wide: int, seed: int = 0) -> Matrix:
    """Like real text: many near neighbours."""
    rng = np.random.default_rng(seed)
    middles = rng.standard_normal((max(1, count // 50), wide)).astype(np.float32)
    out = middles[rng.integers(0, len(middles), count)] + 0.7 * rng.standard_normal(
        (count, wide)
    ).astype(np.float32)
    return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True), dtype=np.float32)
