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
from stylus_ext.evaluation.pictures import features
from stylus_ext.evaluation.pictures.manifest import ArmPicture, ArmTexts, PictureFolder, sha256
from stylus_ext.evaluation.pictures.metrics import Metric, PictureSet, Values, all_metrics
from stylus_ext.evaluation.pictures.page import html_page
from stylus_ext.evaluation.pictures.prompts import EvaluationPrompt
from stylus_ext.evaluation.pictures.report import complete_set, lines, make_report
from stylus_ext.evaluation.pictures.run import EvaluationRun
from tests.evaluation.pictures.webui_double import COLOURS, draw
from tests.fakes import Watch

Draw = Callable[[str, str, int], bytes]


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
    out: Path, how: Draw, arms: tuple[str, ...] = ("base", "stylus"), count: int = 12
) -> PictureFolder:
    prompts = [EvaluationPrompt(f"a {list(COLOURS)[n % 3]} thing {n}") for n in range(count)]
    run = EvaluationRun(arms, prompts, (3, 4))
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
    return next(each for each in report["metrics"] if each["name"] == name)


def test_a_better_arm_is_found_and_the_sign_follows_the_arms(tmp_path: Path) -> None:
    metrics: list[Metric] = [ColourMetric()]
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
    report = make_report(write_run(tmp_path / "1", same_in_both), [ColourMetric()], Watch())
    against = found_by(report, "colour")["against_reference"]["stylus"]
    assert (against["differs"], against["equal"]) == (False, 12)


def test_times_are_always_there_by_prompt(tmp_path: Path) -> None:
    report = make_report(write_run(tmp_path / "1", same_in_both), all_metrics("none"), Watch())
    seconds = found_by(report, "seconds")
    assert seconds["arms"]["base"] == {"mean": 2.0, "low": 2.0, "high": 2.0, "prompts": 12}
    assert seconds["against_reference"]["stylus"]["difference"]["mean"] == 0.5
    assert found_by(report, "planning-seconds")["arms"]["stylus"]["mean"] == pytest.approx(0.1)
    assert "clip-score" in {each["name"] for each in report["left_out"]}


def test_pictures_without_a_partner_are_not_compared(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "1", same_in_both)
    made = folder.pictures()
    (folder.folder / made[0].file).unlink()
    report = make_report(folder, [ColourMetric()], Watch())
    assert (report["pictures"], report["not_compared"]) == (46, 2)
    for each in made:
        (folder.folder / each.file).unlink(missing_ok=True)
    with pytest.raises(InvalidInput):
        make_report(folder, [ColourMetric()], Watch())


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        make_report(PictureFolder(tmp_path), [], Watch())
    (tmp_path / "run.json").write_text("[1]")
    with pytest.raises(InvalidInput):
        make_report(PictureFolder(tmp_path), [], Watch())


def test_the_report_is_json_and_has_a_table_per_metric(tmp_path: Path) -> None:
    report = make_report(write_run(tmp_path / "1", same_in_both), all_metrics("none"), Watch())
    assert json.loads(json.dumps(report)) == report
    text = "\n".join(lines(report))
    for metric in report["metrics"]:
        assert f"\n{metric['name']} (" in text
    for each in report["left_out"]:
        assert f"{each['name']}: {each['reason']}" in text


def test_the_page_is_self_contained_and_escapes_texts(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "1", better_in_one, count=2)
    hostile = '<script>alert("x")</script>'
    pictures = complete_set(folder, folder.settings)
    made = [replace(each, text=hostile) for each in pictures.pictures]
    named = replace(pictures, pictures=made, prompts=[hostile] * 2)
    report = make_report(folder, [replace(ColourMetric(), about=hostile)], Watch())
    report["checkpoints"] = report["arms"] = [hostile]
    page = html_page(report, named)
    assert "<script" not in page
    assert page.count("<img ") == 8
    assert set(re.findall(r'(?:src|href)="(\w+:[\w/]+)', page)) == {"data:image/jpeg"}
    assert "http:" not in page
    assert "https:" not in page


def test_distances_of_features() -> None:
    one, other = np.array([1.0, 0.0], np.float32), np.array([0.0, 2.0], np.float32)
    assert features.distance(one, other) == pytest.approx(1.0)
    assert features.distance(one, 3 * one) == pytest.approx(0.0)
    assert features.mean_pairwise_distance([one, other, one]) == pytest.approx(2 / 3)
    assert features.spread([one, other]) == pytest.approx(2.5)
    assert features.spread([one, one]) == 0
