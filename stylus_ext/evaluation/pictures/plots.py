"""Plots of the report by matplotlib, as SVG that stands inside the page.

The Pareto plot shows how well pictures fit their prompts against how far they are from real ones;
the others show each metric over the CFG scales.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from stylus_ext.evaluation.pictures.metrics.available import CLIP_SCORE, EFFICIENTNET_FRECHET, FID
from stylus_ext.evaluation.pictures.paper import PAPER_ARMS, PARETO

_INK = "#0a0b0c"
"""Replaced by the page's text colour."""
_COLUMNS = 3


@dataclass(frozen=True, slots=True)
class Plot:
    title: str
    svg: str


def plots(report: Mapping[str, Any]) -> Iterator[Plot]:
    if importlib.util.find_spec("matplotlib") is None:
        return
    if pareto := _pareto(report):
        yield pareto
    if len(report["scales"]) > 1:
        yield _over_scales(report)


def _pareto(report: Mapping[str, Any]) -> Plot | None:
    """FID where it was measured, else the distance by other features, named as such."""
    for distance in (FID, EFFICIENTNET_FRECHET):
        points = {arm: _points(report, arm, distance) for arm in report["arms"]}
        if all(points.values()):
            break
    else:
        return None
    figure, (panel,) = _figure(1, 1)
    for number, (arm, found) in enumerate(points.items()):
        _line(panel, arm, found, f"C{number}", "-")
    if distance == FID and len(report["scales"]) > 1:
        for arm in points:
            if name := PAPER_ARMS.get(arm):
                paper = [(fid, clip, cfg) for cfg, (clip, fid) in PARETO.get(name, {}).items()]
                if paper:
                    _line(panel, f"{arm}, paper", paper, "0.6", ":")
    panel.set_xlabel(f"{distance} (lower is better)")
    panel.set_ylabel(f"{CLIP_SCORE} (higher is better)")
    panel.legend()
    return Plot(f"{CLIP_SCORE} against {distance}; the numbers are CFG scales", _svg(figure, "p"))


def _points(report: Mapping[str, Any], arm: str, distance: str) -> list[tuple[float, float, float]]:
    """Distance, CLIPScore and CFG scale of each scale that has both."""
    found = []
    for scale in sorted(report["scales"], key=lambda each: each["cfg"]):
        of_arm = {each["name"]: each["arms"].get(arm) for each in scale["metrics"]}
        across, up = of_arm.get(distance), of_arm.get(CLIP_SCORE)
        if across and up:
            found.append((across["mean"], up["mean"], scale["cfg"]))
    return found


def _line(
    panel: Any, label: str, points: Sequence[tuple[float, float, float]], colour: str, style: str
) -> None:
    across, up, scales = zip(*points, strict=True)
    panel.plot(across, up, style, marker="o", markersize=4, color=colour, label=label)
    for x, y, scale in zip(across, up, scales, strict=True):
        panel.annotate(f"{scale:g}", (x, y), (4, 4), textcoords="offset points", fontsize=8)


def _over_scales(report: Mapping[str, Any]) -> Plot:
    names = list(
        dict.fromkeys(each["name"] for scale in report["scales"] for each in scale["metrics"])
    )
    figure, axes = _figure(-(-len(names) // _COLUMNS), min(len(names), _COLUMNS))
    for panel, name in zip(axes, names, strict=False):
        for arm in report["arms"]:
            found = [
                (scale["cfg"], each["arms"][arm])
                for scale in sorted(report["scales"], key=lambda scale: float(scale["cfg"]))
                for each in scale["metrics"]
                if each["name"] == name and arm in each["arms"]
            ]
            if found:
                across = [cfg for cfg, _ in found]
                colour = f"C{report['arms'].index(arm)}"
                panel.plot(across, [each["mean"] for _, each in found], "o-", ms=3, color=colour)
                low, high = ([each[key] for _, each in found] for key in ("low", "high"))
                panel.fill_between(across, low, high, alpha=0.15, color=colour, linewidth=0)
        panel.set_title(name, fontsize=10)
        panel.set_xlabel("CFG scale", fontsize=9)
    for panel in axes[len(names) :]:
        panel.set_visible(False)
    colours = ", ".join(
        f"{arm} {_COLOUR_NAMES[number % len(_COLOUR_NAMES)]}"
        for number, arm in enumerate(report["arms"])
    )
    return Plot(
        f"Every metric over the CFG scale, with 95 % intervals: {colours}", _svg(figure, "s")
    )


_COLOUR_NAMES = (
    "blue",
    "orange",
    "green",
    "red",
    "purple",
    "brown",
    "pink",
    "grey",
    "olive",
    "cyan",
)


def _figure(rows: int, columns: int) -> tuple[Any, list[Any]]:
    """A figure without a display, on a transparent ground."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    ink = dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK
    )
    with mpl.rc_context(ink):
        size = (7, 5) if rows == columns == 1 else (3.6 * columns, 2.8 * rows)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).flatten().tolist()
    for panel in axes:
        panel.patch.set_alpha(0)
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Any, salt: str) -> str:
    """Without ids of groups, metadata and names of formats, which a page does not need."""
    import matplotlib as mpl

    text = StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt, "legend.framealpha": 0}):
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    drawing = text.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r' xmlns(?::\w+)?="[^"]*"|(?<=<g) id="[^"]*"', "", drawing)
    return drawing.replace("xlink:href", "href").replace(_INK, "currentColor").strip()
