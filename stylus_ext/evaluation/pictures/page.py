"""The report as one HTML file without links: tables, and pictures of every arm side by side."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from stylus_ext.evaluation.pictures.manifest import ArmPicture
from stylus_ext.evaluation.pictures.metrics import PictureSet
from stylus_ext.evaluation.pictures.report import by_prompt, rows

MOST_PROMPTS = 60
_SIDE = 256
_QUALITY = 80
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem;
  color: #1c1c1c; background: #fff; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { border-bottom: 1px solid #ccc; padding: .2rem .8rem .2rem 0; text-align: left; }
.pictures { display: flex; flex-wrap: wrap; gap: .8rem; margin-bottom: 1rem; }
figure { margin: 0; width: 256px; }
figure img { width: 256px; display: block; }
figcaption { font-size: 12px; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #1c1c1c; } }
"""
_HEADINGS = ("arm", "mean", "95 % interval", "difference", "95 % interval", "up/down/same", "p")


def html_page(report: Mapping[str, Any], pictures: PictureSet) -> str:
    return "\n".join(_parts(report, pictures)) + "\n"


def _parts(report: Mapping[str, Any], pictures: PictureSet) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield f"<title>Stylus evaluation</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    yield "<h1>Stylus evaluation</h1>"
    yield (
        f"<p>{report['pictures']:,} pictures of {report['prompts']:,} prompts."
        f" Checkpoint: {escape(', '.join(report['checkpoints']))}."
        f" Differences are to the arm {escape(report['reference'])}; p is a sign test over prompts"
        " with Holm's correction, and * marks p below 0.05.</p>"
    )
    for metric in report["metrics"]:
        yield from _table(metric)
    if report["left_out"]:
        yield "<h2>Not measured</h2>\n<ul>"
        for each in report["left_out"]:
            yield f"<li>{escape(each['name'])}: {escape(each['reason'])}</li>"
        yield "</ul>"
    yield from _pictures(pictures)
    yield "</body>\n</html>"


def _table(metric: Mapping[str, Any]) -> Iterator[str]:
    better = f" {metric['better'].capitalize()} is better." if metric["better"] else ""
    about = metric["about"]
    yield f"<h2>{escape(metric['name'])}</h2>"
    yield f"<p>{escape(about[0].upper() + about[1:])}.{better}</p>"
    yield "<table>\n<tr>" + "".join(f'<th scope="col">{each}</th>' for each in _HEADINGS) + "</tr>"
    for row in rows(metric):
        first, *rest = map(escape, row)
        cells = "".join(f"<td>{cell}</td>" for cell in rest)
        yield f'<tr><th scope="row">{first}</th>{cells}</tr>'
    yield "</table>"


def _pictures(pictures: PictureSet) -> Iterator[str]:
    groups = by_prompt(pictures.pictures)
    yield "<h2>Pictures</h2>"
    if len(groups) > MOST_PROMPTS:
        yield f"<p>The first {MOST_PROMPTS} of {len(groups):,} prompts.</p>"
    for prompt, by_number in list(groups.items())[:MOST_PROMPTS]:
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
