"""The report: what is compared, what is found, and what is left out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylus_ext.core.errors import InvalidInput
from stylus_ext.evaluation.pictures.manifest import ArmPicture, ArmTexts, PictureFolder, sha256
from stylus_ext.evaluation.pictures.markdown import markdown
from stylus_ext.evaluation.pictures.metrics import PictureSet, Values, features
from stylus_ext.evaluation.pictures.metrics.available import (
    Metrics,
    MetricSources,
    all_metrics,
)
from stylus_ext.evaluation.pictures.page import html_page
from stylus_ext.evaluation.pictures.plots import plots
from stylus_ext.evaluation.pictures.prompts import EvaluationPrompt
from stylus_ext.evaluation.pictures.report import complete_sets, make_report
from stylus_ext.evaluation.pictures.run import EvaluationRun
from stylus_ext.evaluation.pictures.tables import extremes, left_out, lines
from tests.evaluation.pictures.webui_double import COLOURS, draw
from tests.fakes import Watch

Draw = Callable[[str, str, int], bytes]
NONE = MetricSources("none", "none", Path("none"))
"""No models."""
WITH_PLOTS = "matplotlib is in the environment for measuring pictures only"


def same_in_both(arm: str, prompt: str, seed: int) -> bytes:
    return draw(prompt, seed)


def better_in_one(arm: str, prompt: str, seed: int) -> bytes:
    return draw(f"{prompt} <lora:x:1>" if arm == "stylus" else prompt, seed)


@dataclass(frozen=True)
class ColourMetric:
    """The share of the colour that the prompt names."""

    name: str = "colour"
    about: str = "share of the prompt's colour"
    better: str = "higher"

    def missing(self, pictures: PictureSet) -> str:
        return ""

    def values(self, pictures: PictureSet, progress: Any) -> Values:
        def value(picture: ArmPicture) -> float:
            from PIL import Image

            with Image.open(pictures.file(picture)) as opened:
                mean = np.asarray(opened.convert("RGB"), float).mean(axis=(0, 1))
            word = pictures.prompts[picture.prompt].split()[1]
            return float(mean[list(COLOURS).index(word)] / mean.sum())

        return pictures.means(value)


def write_run(
    out: Path,
    how: Draw,
    arms: tuple[str, ...] = ("base", "stylus"),
    count: int = 12,
    scales: tuple[float, ...] = (7.0,),
) -> PictureFolder:
    prompts = [EvaluationPrompt(f"a {list(COLOURS)[n % 3]} thing {n}") for n in range(count)]
    run = EvaluationRun(arms, prompts, (3, 4), cfg=scales)
    folder = PictureFolder(out)
    folder.open(run.settings())
    for arm, prompt, number, cfg in run.places():
        text, seed = prompts[prompt].text, run.seeds[number]
        data = how(arm, text, seed)
        file = folder.write_picture((arm, prompt, number, cfg), data)
        seconds = 2.0 if arm == "base" else 2.5
        made = ArmPicture(
            arm, prompt, number, seed, text, "", file, sha256(data), seconds, 0.1, "tiny", "", cfg
        )
        folder.add_picture(made)
        if not number:
            folder.add_plan(ArmTexts(arm, prompt, (text,) * 2, ("",) * 2))
    return folder


def found_by(report: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The metric at the first CFG scale."""
    return next(each for each in report["scales"][0]["metrics"] if each["name"] == name)


def test_a_better_arm_is_found_and_the_sign_follows_the_arms(tmp_path: Path) -> None:
    metrics = Metrics([ColourMetric()])
    report = make_report(write_run(tmp_path / "1", better_in_one), metrics, Watch())
    against = found_by(report, "colour")["against_reference"]["stylus"]
    assert against["differs"]
    assert against["higher"] == 12
    assert against["difference"]["low"] > 0.1
    swapped = write_run(tmp_path / "2", better_in_one, ("stylus", "base"))
    other = found_by(make_report(swapped, metrics, Watch()), "colour")["against_reference"]["base"]
    assert other["difference"]["mean"] == pytest.approx(-against["difference"]["mean"])
    assert (other["lower"], other["p"]) == (12, against["p"])


def test_equal_arms_do_not_differ(tmp_path: Path) -> None:
    report = make_report(
        write_run(tmp_path / "1", same_in_both), Metrics([ColourMetric()]), Watch()
    )
    against = found_by(report, "colour")["against_reference"]["stylus"]
    assert (against["differs"], against["equal"]) == (False, 12)


def test_times_are_always_there_by_prompt(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "1", same_in_both, count=4)
    report = make_report(folder, all_metrics(NONE), Watch())
    seconds = found_by(report, "seconds")
    assert seconds["arms"]["base"] == {"mean": 2.0, "low": 2.0, "high": 2.0, "prompts": 4}
    assert seconds["against_reference"]["stylus"]["difference"]["mean"] == 0.5
    assert found_by(report, "planning-seconds")["arms"]["stylus"]["mean"] == pytest.approx(0.1)
    assert "clip-score" in left_out(report)


def test_pictures_without_a_partner_are_not_compared(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "1", same_in_both)
    made = folder.pictures()
    (folder.folder / made[0].file).unlink()
    report = make_report(folder, Metrics([ColourMetric()]), Watch())
    assert (report["pictures"], report["not_compared"]) == (46, 2)
    for each in made:
        (folder.folder / each.file).unlink(missing_ok=True)
    with pytest.raises(InvalidInput):
        make_report(folder, Metrics([ColourMetric()]), Watch())


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        make_report(PictureFolder(tmp_path), Metrics(), Watch())
    (tmp_path / "run.json").write_text("[1]")
    with pytest.raises(InvalidInput):
        make_report(PictureFolder(tmp_path), Metrics(), Watch())


def test_the_report_is_json_and_has_a_table_per_metric(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "1", same_in_both, count=2)
    report = make_report(folder, all_metrics(NONE), Watch())
    assert json.loads(json.dumps(report)) == report
    text = "\n".join(lines(report))
    for metric in report["scales"][0]["metrics"]:
        assert f"\n{metric['name']} (" in text
    for name, reason in left_out(report).items():
        assert f"{name}: {reason}" in text


def hostile_report(out: Path) -> tuple[str, dict[str, Any], list[tuple[float, PictureSet]]]:
    """A report whose every text is HTML."""
    folder = write_run(out, better_in_one, count=2)
    hostile = '<script>alert("x")</script>'
    ((cfg, pictures),) = complete_sets(folder, folder.read_settings())
    made = [replace(each, text=hostile) for each in pictures.pictures]
    named = replace(pictures, pictures=made, prompts=[hostile] * 2)
    report = make_report(folder, Metrics([replace(ColourMetric(), about=hostile)]), Watch())
    report["checkpoints"] = [hostile]
    return hostile, report, [(cfg, named)]


def test_the_page_is_self_contained_and_escapes_texts(tmp_path: Path) -> None:
    _, report, sets = hostile_report(tmp_path / "1")
    page = html_page(report, sets)
    assert "<script" not in page
    assert page.count("<img ") == 16  # two prompts, seeds and arms; and the same as largest gains
    assert set(re.findall(r'(?:src|href)="(\w+:[\w/]+)', page)) == {"data:image/jpeg"}
    assert "http:" not in page
    assert "https:" not in page


def test_the_markdown_has_no_html_of_its_texts(tmp_path: Path) -> None:
    hostile, report, _ = hostile_report(tmp_path / "1")
    text = markdown(report)
    assert "alert" in text
    assert hostile not in text


def test_the_markdown_has_the_papers_figures_beside_those_of_the_same_arm_and_scale(
    tmp_path: Path,
) -> None:
    metrics = Metrics([replace(ColourMetric(), name="clip-score")])
    arms = ("base", "stylus", "retriever-only")
    report = make_report(write_run(tmp_path / "1", better_in_one, arms), metrics, Watch())
    report["scales"][0]["cfg"] = 6.0
    cells = [line.split(" | ") for line in markdown(report).splitlines() if line[:3] == "| s"]
    assert cells[0][2] == "27.25"
    report["scales"][0]["cfg"] = 12.0
    rows = [line.split(" | ") for line in markdown(report).splitlines()]
    assert [next(row[2] for row in rows if row[0] == f"| {arm}") for arm in arms] == [
        "27.22",
        "27.10",
        "-",
    ]


def test_the_markdown_has_verdicts_beside_those_of_the_paper(tmp_path: Path) -> None:
    metrics = Metrics([ColourMetric()])
    report = make_report(write_run(tmp_path / "1", same_in_both), metrics, Watch())
    counts = {"wins": 3, "ties": 2, "losses": 1, "higher": 2, "lower": 1, "p": 0.01}
    share = {"mean": 0.7, "low": 0.6, "high": 0.8}
    against = {"stylus": {**counts, "preference": share, "differs": True}}
    judged = {"source": "vlm", "name": "m", "criterion": "quality", "against_reference": against}
    report["judging"] = [{**judged, "judges": [], "agreement": None, "ranking": []}]
    line = next(line for line in markdown(report).splitlines() if line.startswith("| m "))
    assert line.split(" | ")[3:] == ["70.0%*", "3/2/1", "29/52/19 % |"]


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_the_largest_gains_and_losses_are_found(better: str) -> None:
    values = {"base": dict.fromkeys("0123", 1.0), "x": {"0": 5.0, "1": 0.5, "2": 1.0, "3": 2.0}}
    found = extremes({"better": better, "values": values}, "base", "x", 2)
    losses, gains = found if better == "higher" else found[::-1]
    assert losses == [(1, -0.5)]
    assert gains == [(0, 4.0), (3, 1.0)]


def test_each_scale_has_its_own_values(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "1", better_in_one, scales=(3.0, 7.0))
    for each in folder.pictures():
        if each.cfg == 7.0 and each.arm == "stylus":
            (folder.folder / each.file).write_bytes(draw("nothing", each.seed))
    report = make_report(folder, Metrics([ColourMetric()]), Watch())
    assert [scale["cfg"] for scale in report["scales"]] == [3.0, 7.0]
    differs = [
        scale["metrics"][0]["against_reference"]["stylus"]["differs"] for scale in report["scales"]
    ]
    assert differs == [True, False]
    assert report["pictures"] == 2 * report["scales"][0]["pictures"] == 96


def test_plots_have_a_line_for_each_arm_and_a_point_for_each_scale(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason=WITH_PLOTS)
    folder = write_run(tmp_path / "1", better_in_one, scales=(3.0, 7.0))
    metrics = [
        replace(ColourMetric(), name=name) for name in ("clip-score", "efficientnet-frechet")
    ]
    report = make_report(folder, Metrics(metrics), Watch())
    pareto, over_scales = plots(report)
    assert [pareto.svg.count(f">{text}<") for text in ("base", "stylus", "3", "7")] == [1, 1, 2, 2]
    assert "efficientnet-frechet" in pareto.svg
    assert over_scales.svg.count(">clip-score<") == 1
    page = html_page(report, complete_sets(folder, folder.settings))
    assert page.count("<svg") == 2
    assert "http:" not in page
    report["scales"].pop()
    assert len(list(plots(report))) == 1
    assert not list(plots(make_report(folder, Metrics(), Watch()) | {"scales": []}))


def test_distances_of_features() -> None:
    one, other = np.array([1.0, 0.0], np.float32), np.array([0.0, 2.0], np.float32)
    assert features.distance(one, other) == pytest.approx(1.0)
    assert features.distance(one, 3 * one) == pytest.approx(0.0)
    assert features.mean_pairwise_distance([one, other, one]) == pytest.approx(2 / 3)
    assert features.spread([one, other]) == pytest.approx(2.5)
    assert features.spread([one, one]) == 0
