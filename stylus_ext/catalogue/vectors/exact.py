"""Exact search: one pass over the mapped matrix for all queries, filtered by family."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stylus_ext.catalogue.vectors.matrix import Snapshot
from stylus_ext.core.ports import Matrix

_SCORES = 16_000_000
"""Cosines held at once (64 MB); more queries than fit take another pass."""

_CHUNK = 16_384
_BLOCK = 64
_SLACK = np.float32(4e-6)
"""More than the rounding of one float32 product of unit vectors: who is this near the last place is
looked at again.
"""

_OUT = np.float32(-3.0)
"""Below every cosine: not alive, or of another family."""


def nearest(
    snapshot: Snapshot, queries: Matrix, top: int, families: frozenset[str] | None
) -> list[list[tuple[str, float]]]:
    """The `top` nearest keys per query with cosines, best first, ties by key."""
    shut = _shut(snapshot, families)
    most = min(top, len(shut) - int(np.count_nonzero(shut)))
    if most <= 0:
        return [[] for _ in queries]
    found: list[list[tuple[str, float]]] = []
    step = max(1, _SCORES // len(snapshot.vectors))
    for start in range(0, len(queries), step):
        some = queries[start : start + step]
        for query, scores in zip(some, _scores(snapshot.vectors, some, shut), strict=True):
            found.append(ranked(snapshot, query, _leaders(scores, most), most))
    return found


def ranked(
    snapshot: Snapshot, query: Matrix, rows: NDArray[np.int64], most: int
) -> list[tuple[str, float]]:
    """The best of these rows, by cosines in double precision, independent of summation order."""
    exact = cosines(snapshot.vectors, query[np.newaxis], rows)[0]
    pairs = zip(exact.tolist(), (snapshot.keys[row] for row in rows.tolist()), strict=True)
    best = sorted((-cosine, key) for cosine, key in pairs)[:most]
    return [(key, -cosine) for cosine, key in best]


def cosines(vectors: Matrix, queries: Matrix, rows: NDArray[np.int64]) -> Matrix:
    """One row per query, one column per matrix row; 0 where the row is -1."""
    out = np.zeros((len(queries), len(rows)), dtype=np.float32)
    wide = queries.astype(np.float64)
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        there = np.flatnonzero(part >= 0)
        out[:, start + there] = wide @ vectors[part[there]].astype(np.float64).T
    return out


def _shut(snapshot: Snapshot, families: frozenset[str] | None) -> NDArray[np.bool_]:
    rows = len(snapshot.vectors)
    shut = ~snapshot.alive[:rows]
    if families is not None:
        codes = [snapshot.codes[family] for family in sorted(families) if family in snapshot.codes]
        shut |= ~np.isin(snapshot.families[:rows], np.array(codes, dtype=np.int32))
    return shut


def _scores(vectors: Matrix, queries: Matrix, shut: NDArray[np.bool_]) -> Matrix:
    scores = np.empty((len(queries), len(vectors)), dtype=np.float32)
    for start in range(0, len(vectors), _CHUNK):
        part = slice(start, start + _CHUNK)
        np.matmul(queries, vectors[part].T, out=scores[:, part])
    if shut.any():
        scores[:, shut] = _OUT
    return scores


def _leaders(scores: NDArray[np.float32], most: int) -> NDArray[np.int64]:
    """Rows that may be among the best: scores within the rounding slack of the last place."""
    floor = _floor(scores, most)
    near = np.flatnonzero(scores >= floor - _SLACK)
    if len(near) > most:
        last = np.partition(scores[near], len(near) - most)[len(near) - most]
        near = near[scores[near] >= max(last - _SLACK, _OUT + 1)]
    return near[scores[near] > _OUT]


def _floor(scores: NDArray[np.float32], most: int) -> np.float32:
    """Lower bound of the last place from block maxima; avoids sorting all scores."""
    blocks = len(scores) // _BLOCK
    if blocks < 2 * most:
        return np.float32(_OUT + _SLACK)
    best = scores[: blocks * _BLOCK].reshape(blocks, _BLOCK).max(axis=1)
    return np.float32(np.partition(best, blocks - most)[blocks - most])
