"""The report as one HTML file without links: tables, plots, and pictures side by side."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from stylus_ext.evaluation.pictures.judging import report as judging
from stylus_ext.evaluation.pictures.manifest import ArmPicture
from stylus_ext.evaluation.pictures.metrics import PictureSet
from stylus_ext.evaluation.pictures.plots import plots
from stylus_ext.evaluation.pictures.report import by_prompt
from stylus_ext.evaluation.pictures.tables import about, extremes, left_out, number, rows

MOST_PROMPTS = 60
_SIDE = 256
_EXTREMES = 3
_QUALITY = 80
_PAIRS_OF_EXTREMES = 2
_COSTS = frozenset({"seconds", "planning-seconds", "memory"})
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem;
  color: #1c1c1c; background: #fff; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { border-bottom: 1px solid #ccc; padding: .2rem .8rem .2rem 0; text-align: left; }
svg { max-width: 100%; height: auto; }
summary { cursor: pointer; }
.pictures { display: flex; flex-wrap: wrap; gap: .8rem; margin-bottom: 1rem; }
figure { margin: 0; }
.pictures figure { width: 256px; }
figure img { width: 256px; display: block; }
figcaption { font-size: 12px; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #1c1c1c; } }
"""
_HEADINGS = ("arm", "mean", "95 % interval", "difference", "95 % interval", "up/down/same", "p")


def html_page(report: Mapping[str, Any], sets: Sequence[tuple[float, PictureSet]]) -> str:
    """`sets` are the pictures by CFG scale."""
    return "\n".join(_parts(report, dict(sets))) + "\n"


def _parts(report: Mapping[str, Any], sets: Mapping[float, PictureSet]) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield f"<title>Stylus evaluation</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    yield "<h1>Stylus evaluation</h1>"
    yield (
        f"<p>{report['pictures']:,} pictures of {report['prompts']:,} prompts."
        f" Checkpoint: {escape(', '.join(report['checkpoints']))}."
        f" Differences are to the arm {escape(report['reference'])}; p is a sign test over prompts,"
        " or by swapping arms where a metric has one value for all pictures, with Holm's"
        " correction, and * marks p below 0.05.</p>"
    )
    for plot in plots(report):
        yield f'<figure role="img" aria-label="{escape(plot.title)}">{plot.svg}'
        yield f"<figcaption>{escape(plot.title)}</figcaption></figure>"
    for scale in report["scales"]:
        yield f"<h2>CFG scale {scale['cfg']:g}</h2>"
        for metric in scale["metrics"]:
            yield from _metric(metric)
            yield from _extremes(metric, report["reference"], sets[scale["cfg"]])
    for facts in report["judging"]:
        yield f"<h2>{escape(judging.title(facts))}</h2>"
        yield from _table(judging.HEADINGS, judging.preference_rows(facts))
        yield from (f"<p>{escape(sentence)}</p>" for sentence in judging.remarks(facts))
    if missing := left_out(report):
        yield "<h2>Not measured</h2>\n<ul>"
        for name, reason in missing.items():
            yield f"<li>{escape(name)}: {escape(reason)}</li>"
        yield "</ul>"
    for cfg, pictures in sets.items():
        yield from _pictures(cfg, pictures, MOST_PROMPTS // len(sets) or 1)
    yield "</body>\n</html>"


def _metric(metric: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h3>{escape(metric['name'])}</h3>"
    yield f"<p>{escape(about(metric))}</p>"
    yield from _table(_HEADINGS, rows(metric))


def _table(headings: Sequence[str], table: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "<table>\n<tr>" + "".join(f'<th scope="col">{each}</th>' for each in headings) + "</tr>"
    for row in table:
        first, *rest = map(escape, row)
        cells = "".join(f"<td>{cell}</td>" for cell in rest)
        yield f'<tr><th scope="row">{first}</th>{cells}</tr>'
    yield "</table>"


def _extremes(metric: Mapping[str, Any], reference: str, pictures: PictureSet) -> Iterator[str]:
    """The prompts that each arm changed most for the better and the worse."""
    if not metric["better"] or metric["name"] in _COSTS:
        return
    for arm in metric["against_reference"]:
        losses, gains = extremes(metric, reference, arm, _EXTREMES)
        for title, found in (("Largest losses", losses), ("Largest gains", gains)):
            if not found:
                continue
            yield f"<details><summary>{title} of {escape(arm)}</summary>"
            for prompt, change in found:
                text = pictures.prompts[prompt]
                yield f"<p>{'+' if change > 0 else ''}{number(change)}: {escape(text)}</p>"
                group = [
                    each
                    for each in pictures.pictures
                    if each.prompt == prompt and each.arm in (reference, arm)
                ]
                yield from _row(pictures.folder, group[: _PAIRS_OF_EXTREMES * 2])
            yield "</details>"


def _pictures(cfg: float, pictures: PictureSet, most: int) -> Iterator[str]:
    groups = by_prompt(pictures.pictures)
    yield f"<h2>Pictures at CFG scale {cfg:g}</h2>"
    if len(groups) > most:
        yield f"<p>The first {most} of {len(groups):,} prompts.</p>"
    for prompt, by_number in list(groups.items())[:most]:
        yield f"<h3>{escape(pictures.prompts[prompt])}</h3>"
        for group in by_number.values():
            yield from _row(pictures.folder, group)


def _row(folder: Path, group: Sequence[ArmPicture]) -> Iterator[str]:
    yield '<div class="pictures">'
    for each in group:
        caption = f"{each.arm}, seed {each.seed}: {each.text}"
        yield (
            f'<figure><img loading="lazy" alt="{escape(f"{each.arm}, seed {each.seed}")}"'
            f' src="{_thumbnail(folder / each.file)}"><figcaption>{escape(caption)}</figcaption>'
            "</figure>"
        )
    yield "</div>"


def _thumbnail(file: Path) -> str:
    from PIL import Image

    with Image.open(file) as picture:
        small = picture.convert("RGB")
    small.thumbnail((_SIDE, _SIDE))
    data = BytesIO()
    small.save(data, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
