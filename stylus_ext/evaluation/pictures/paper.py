"""The paper's own figures, to stand beside those of a run (arXiv 2404.18928).

They are of other pictures: SD 1.5 Realistic Vision, prompts of COCO, and of eight pictures the one
with the highest CLIP.
"""

from __future__ import annotations

from collections.abc import Mapping

BASE, STYLUS = "SD v1.5", "Stylus"
PAPER_ARMS: Mapping[str, str] = {
    "base": BASE,
    "stylus": STYLUS,
    "stylus-llm": STYLUS,
    "rerank": "Reranker",
    "retriever-only": "Retriever-only",
    "random": "Random",
}
"""The paper's name of an arm."""

TABLE_CFG = 6.0
TABLE: Mapping[str, tuple[float, float]] = {
    STYLUS: (27.25, 22.05),
    "Reranker": (25.48, 22.81),
    "Retriever-only": (24.93, 24.68),
    "Random": (26.34, 24.39),
    BASE: (27.22, 23.96),
}
"""CLIP and FID of each arm at `TABLE_CFG`."""

_SCALES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0, 12.0)
_CLIP = {
    BASE: (25.89, 26.93, 27.16, 27.28, 27.28, 27.22, 27.20, 27.22),
    STYLUS: (26.30, 27.08, 27.25, 27.30, 27.31, 27.25, 27.11, 27.10),
}
_FID = {
    BASE: (24.47, 18.69, 20.18, 22.74, 23.38, 23.96, 23.74, 23.71),
    STYLUS: (23.45, 18.26, 19.86, 21.22, 21.58, 22.06, 21.71, 22.51),
}
PARETO: Mapping[str, Mapping[float, tuple[float, float]]] = {
    name: dict(zip(_SCALES, zip(_CLIP[name], _FID[name], strict=True), strict=True))
    for name in (BASE, STYLUS)
}
"""CLIP and FID by CFG scale, read from the paper's plot."""

REFINERS: Mapping[str, tuple[float, float]] = {
    "none": (24.91, 24.26),
    "Gemini Ultra": (27.25, 22.05),
    "GPT-4o": (28.04, 21.96),
}
"""CLIP and FID at `TABLE_CFG` by the model that describes the adapters."""

DFID_HIGHER = 59.2
"""In this percentage of prompts, Stylus has the higher dFID."""
HUMAN_PREFERENCE: Mapping[str, float] = {
    "Realistic Vision, COCO": 67.81,
    "Realistic Vision, PartiPrompts": 68.31,
    "Counterfeit, COCO": 62.00,
    "Counterfeit, PartiPrompts": 58.57,
}
"""The percentage of people's choices for Stylus, without ties."""
VLM_JUDGE: Mapping[str, tuple[int, int, int]] = {
    "quality": (29, 52, 19),
    "alignment": (20, 58, 22),
    "diversity": (35, 40, 25),
}
"""The percentages of wins, ties and losses of Stylus by GPT-4V."""


def clip_and_fid(arm: str, cfg: float) -> tuple[float, float] | None:
    """The paper's figures of an arm; its table has five arms at one scale, its plot two at all."""
    name = PAPER_ARMS.get(arm, "")
    if cfg == TABLE_CFG and name in TABLE:
        return TABLE[name]
    return PARETO.get(name, {}).get(cfg)
