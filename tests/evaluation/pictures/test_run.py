"""Making the pictures: the same things in every arm, resuming, and what a WebUI may do wrong."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.errors import InvalidInput, Note, StylusError, Unavailable
from stylus_ext.core.plan import Outcome, Plan, to_json
from stylus_ext.core.plan import unchanged as unchanged_plan
from stylus_ext.evaluation.pictures.arms import TextWriter, parse_arms
from stylus_ext.evaluation.pictures.manifest import MANIFEST, ArmPicture, PictureFolder
from stylus_ext.evaluation.pictures.manifest import RUN as RUN_FILE
from stylus_ext.evaluation.pictures.prompts import (
    EvaluationPrompt,
    prompts_of_file,
    prompts_of_pictures,
)
from stylus_ext.evaluation.pictures.report import complete_set
from stylus_ext.evaluation.pictures.run import EvaluationRun, make_pictures
from stylus_ext.evaluation.pictures.starts import random_box
from stylus_ext.evaluation.pictures.webui import LoginNeeded, WebUi
from tests.catalogue.sources.pictures.making import write_png
from tests.evaluation.pictures.webui_double import Refused, WebUiDouble, double, draw, running, url
from tests.fakes import Watch

__all__ = ["double", "url"]

PROMPTS = (EvaluationPrompt("a red fox", "blurry"), EvaluationPrompt("a blue house"))
RUN = EvaluationRun(
    ("base", "stylus", "random"), PROMPTS, (5, 6), "high quality", {"steps": 3, "width": 64}
)


class Planner:
    """The engine's plans: one LoRA named after the policy."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.outcome = Outcome.DONE

    def __call__(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(payload)
        seeds = payload["seeds"]
        policy = payload["settings"]["selection"]["policy"]
        plan = replace(
            unchanged_plan(
                payload["prompt"],
                payload["negative_prompt"],
                seeds[0],
                len(seeds),
                Note("nothing_fits", "None fits."),
                self.outcome,
            ),
            prompts=tuple(f"{payload['prompt']} <lora:{policy}{seed}:1>" for seed in seeds),
        )
        return {"plan": to_json(plan)}


@pytest.fixture
def planner() -> Planner:
    return Planner()


def make(folder: Path, url: str, planner: Planner, run: EvaluationRun = RUN) -> list[ArmPicture]:
    webui = WebUi(url, tries=1)
    try:
        webui.check()
        writer = TextWriter(planner, run.seeds, run.debias, loras=webui.loras())
        return make_pictures(run, PictureFolder(folder), writer, webui, Watch())
    finally:
        webui.close()


def test_every_arm_has_the_same_prompts_seeds_and_settings(
    tmp_path: Path, url: str, double: WebUiDouble, planner: Planner
) -> None:
    made = make(tmp_path / "out", url, planner)
    assert len(made) == len(double.requests) == 12
    by_arm: dict[str, set[tuple[int, int]]] = {}
    for each in made:
        by_arm.setdefault(each.arm, set()).add((each.prompt, each.seed))
    assert list(by_arm.values()) == [by_arm["base"]] * 3
    for request in double.requests:
        assert request["prompt"].endswith(", high quality")
        assert (request["steps"], request["width"]) == (3, 64)
        assert (request["batch_size"], request["n_iter"]) == (1, 1)
        assert request["alwayson_scripts"]["Stylus"]["args"] == [{"enabled": False}]
    assert {request["negative_prompt"] for request in double.requests} == {"blurry", ""}
    texts = {each.text for each in made if each.arm == "stylus"}
    assert "a red fox <lora:hybrid6:1>, high quality" in texts


def test_plans_are_asked_without_debias_text_for_the_files_of_the_webui(
    tmp_path: Path, url: str, planner: Planner
) -> None:
    make(tmp_path / "out", url, planner)
    assert len(planner.asked) == 4
    for payload in planner.asked:
        assert "quality" not in payload["prompt"]
        assert payload["settings"]["text"]["debias"] == ""
        assert payload["stems"] == ["ink_v1"]
        assert (payload["reach"], payload["seeds"], payload["batches"]) == ("disk", [5, 6], 2)


def test_no_arm_is_always_first(
    tmp_path: Path, url: str, double: WebUiDouble, planner: Planner
) -> None:
    run = replace(RUN, prompts=[EvaluationPrompt(f"a cat {number}") for number in range(6)])
    make(tmp_path / "out", url, planner, run)
    first = [request["prompt"] for request in double.requests[::3]]
    assert 1 < sum("<lora:" in prompt for prompt in first) < len(first)


def test_every_picture_has_a_line_with_its_facts(
    tmp_path: Path, url: str, planner: Planner
) -> None:
    out = tmp_path / "out"
    made = make(out, url, planner)
    lines = [json.loads(line) for line in (out / MANIFEST).read_text("utf-8").splitlines()]
    assert len(lines) == len(made)
    for line in lines:
        data = (out / line["file"]).read_bytes()
        assert data == draw(line["text"], line["seed"])
        assert line["sha256"] == hashlib.sha256(data).hexdigest()
        assert line["checkpoint"] == "tiny"
        assert line["infotext"] == line["text"]
        assert line["seconds"] > 0


def test_a_finished_run_asks_nothing_again(
    tmp_path: Path, url: str, double: WebUiDouble, planner: Planner
) -> None:
    first = make(tmp_path / "out", url, planner)
    again = make(tmp_path / "out", url, planner)
    assert again == first
    assert (len(double.requests), len(planner.asked)) == (12, 4)


def test_a_torn_line_and_a_deleted_picture_are_made_again(
    tmp_path: Path, url: str, double: WebUiDouble, planner: Planner
) -> None:
    out = tmp_path / "out"
    first = make(out, url, planner)
    manifest = out / MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:-40])
    (out / first[0].file).unlink()
    again = make(out, url, planner)
    assert len(double.requests) == 14
    assert {each.place: each.sha256 for each in again} == {
        each.place: each.sha256 for each in first
    }
    assert make(out, url, planner) == again
    assert len(double.requests) == 14


def test_every_arm_has_pictures_at_each_cfg_scale(
    tmp_path: Path, url: str, double: WebUiDouble, planner: Planner
) -> None:
    out = tmp_path / "out"
    made = make(out, url, planner, replace(RUN, cfg=(3, 6.5)))
    assert len(made) == len({each.place for each in made}) == len(double.requests) == 24
    assert {request["cfg_scale"] for request in double.requests} == {3, 6.5}
    assert len({each.file for each in made}) == 24
    assert {each.cfg for each in PictureFolder(out).pictures()} == {3, 6.5}
    assert make(out, url, planner, replace(RUN, cfg=(3, 6.5))) == made
    with pytest.raises(InvalidInput):
        make(out, url, planner, replace(RUN, cfg=(3,)))
    folder = PictureFolder(out)
    for cfg in (None, 3, 6.5):
        found = complete_set(folder, folder.read_settings(), cfg).pictures
        assert {each.cfg for each in found} == {cfg or 3}
        assert len(found) == 12


def test_a_run_from_before_the_scales_is_resumed(
    tmp_path: Path, url: str, double: WebUiDouble, planner: Planner
) -> None:
    out = tmp_path / "out"
    run = replace(RUN, cfg=(4.5,))
    first = make(out, url, planner, run)
    settings = json.loads((out / RUN_FILE).read_text("utf-8"))
    settings["fields"]["cfg_scale"] = settings.pop("cfg")[0]
    (out / RUN_FILE).write_text(json.dumps(settings))
    lines = [json.loads(line) for line in (out / MANIFEST).read_text("utf-8").splitlines()]
    for line in lines:
        del line["cfg"], line["memory_mb"]
    (out / MANIFEST).write_text("\n".join(map(json.dumps, lines)))
    assert PictureFolder(out).pictures() == first
    assert make(out, url, planner, run) == first
    assert len(double.requests) == 12


def test_the_memory_of_a_picture_is_the_most_that_was_seen_of_it(
    tmp_path: Path, url: str, double: WebUiDouble, planner: Planner
) -> None:
    """The WebUI states the most since it began, which an earlier picture may have needed."""
    megabyte, current, peak = 1024 * 1024, [100], [100]

    def memory() -> dict[str, Any]:
        allocated = {"current": current[0] * megabyte, "peak": peak[0] * megabyte}
        return {"ram": {}, "cuda": {"allocated": allocated}}

    def need(number: int) -> None:
        if number == 1:
            peak[0] = 900
        else:
            current[0] = 300
            asked = len(double.asked)
            deadline = time.monotonic() + 30
            while len(double.asked) == asked and time.monotonic() < deadline:
                time.sleep(0.01)

    double.answers["memory"] = memory
    double.before = need
    run = replace(RUN, prompts=PROMPTS[:1], seeds=(5,), arms=("base", "stylus"))
    made = make(tmp_path / "out", url, planner, run)
    assert sorted(each.memory_mb or 0 for each in made) == [300, 900]


@pytest.mark.parametrize("answer", [None, {"cuda": {"error": "unavailable"}}, [], {"cuda": 1}])
def test_memory_is_unknown_without_figures_of_the_gpu(
    tmp_path: Path, url: str, double: WebUiDouble, planner: Planner, answer: Any
) -> None:
    if answer is not None:
        double.answers["memory"] = answer
    assert {each.memory_mb for each in make(tmp_path / "out", url, planner)} == {None}
    assert double.asked.count("memory") <= 1


def test_another_run_in_the_folder_is_refused(tmp_path: Path, url: str, planner: Planner) -> None:
    make(tmp_path / "out", url, planner)
    for change in ({"debias": ""}, {"seeds": (5, 7)}, {"fields": {"steps": 4}}):
        with pytest.raises(InvalidInput):
            make(tmp_path / "out", url, planner, replace(RUN, **change))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    for name in ("other", "file"):
        with pytest.raises(InvalidInput):
            make(tmp_path / name, url, planner)


def test_pictures_of_another_checkpoint_are_refused(
    tmp_path: Path, url: str, planner: Planner, double: WebUiDouble
) -> None:
    made = make(tmp_path / "out", url, planner)
    last = made[-1]
    (tmp_path / "out" / last.file).unlink()
    double.checkpoint = "another"
    with pytest.raises(InvalidInput):
        make(tmp_path / "out", url, planner)
    double.checkpoint = "tiny"
    assert {each.checkpoint for each in make(tmp_path / "out", url, planner)} == {"tiny"}


def test_a_run_without_pictures_and_plans_may_change(
    tmp_path: Path, url: str, planner: Planner
) -> None:
    PictureFolder(tmp_path / "out").open(replace(RUN, debias="another").settings())
    assert make(tmp_path / "out", url, planner)


@pytest.mark.parametrize("status", [500, 0])
def test_what_is_made_stays_when_the_webui_dies(
    tmp_path: Path, url: str, double: WebUiDouble, planner: Planner, status: int
) -> None:
    def die(number: int) -> None:
        if number == 6:
            raise Refused(status)

    double.before = die
    with pytest.raises(StylusError):
        make(tmp_path / "out", url, planner)
    assert len(PictureFolder(tmp_path / "out").pictures()) == 5
    double.before = lambda _: None
    assert len(make(tmp_path / "out", url, planner)) == 12
    assert len(double.requests) == 13


@pytest.mark.parametrize(
    "options", [{"options": {"name": "a service"}}, {"options": "hello"}], ids=str
)
def test_what_is_no_webui_is_refused(
    tmp_path: Path, planner: Planner, options: dict[str, Any]
) -> None:
    with running(WebUiDouble(**options)) as url, pytest.raises(InvalidInput):
        make(tmp_path / "out", url, planner)
    assert not (tmp_path / "out").exists()


def test_an_address_without_a_server_or_api_is_refused(tmp_path: Path, planner: Planner) -> None:
    double = WebUiDouble()
    with running(double) as url:
        del double.answers["options"]
        with pytest.raises(InvalidInput):
            make(tmp_path / "out", url, planner)
    with pytest.raises(Unavailable):
        make(tmp_path / "out", url, planner)


@pytest.mark.parametrize("data", [b"", b"GIF89a", draw("torn", 1)[:900]], ids=len)
def test_an_answer_without_a_png_is_refused(
    tmp_path: Path, url: str, double: WebUiDouble, planner: Planner, data: bytes
) -> None:
    double.draw = lambda prompt, seed: data
    with pytest.raises(StylusError):
        make(tmp_path / "out", url, planner)
    assert PictureFolder(tmp_path / "out").pictures() == []


def test_a_plan_that_failed_ends_the_run(tmp_path: Path, url: str, planner: Planner) -> None:
    planner.outcome = Outcome.FAILED
    with pytest.raises(Unavailable):
        make(tmp_path / "out", url, planner)


def test_pictures_to_start_from_go_to_img2img(
    tmp_path: Path, url: str, double: WebUiDouble, planner: Planner
) -> None:
    starts = tmp_path / "starts"
    starts.mkdir()
    for number in range(3):
        (starts / f"{number}.png").write_bytes(draw("start", number))
    run = replace(RUN, starts=starts, fields={"denoising_strength": 0.5})
    assert len(make(tmp_path / "out", url, planner, run)) == 12
    assert set(double.paths) == {"img2img"}
    used = {request["prompt"][:5]: request["init_images"] for request in double.requests}
    assert used["a red"] != used["a blu"]


def test_masks_go_with_their_pictures(
    tmp_path: Path, url: str, double: WebUiDouble, planner: Planner
) -> None:
    for name, count in (("starts", 2), ("masks", 2)):
        (tmp_path / name).mkdir()
        for number in range(count):
            (tmp_path / name / f"{number}.png").write_bytes(draw(name, number))
    masks = str(tmp_path / "masks")
    run = replace(RUN, starts=tmp_path / "starts", masks=masks)
    assert len(make(tmp_path / "out", url, planner, run)) == 12
    used = {request["prompt"][:5]: request["mask"] for request in double.requests}
    for start, number in (("a red", 0), ("a blu", 1)):
        assert base64.b64decode(used[start]) == draw("masks", number)
    with pytest.raises(InvalidInput):
        make(tmp_path / "other", url, planner, replace(RUN, masks=masks))
    with pytest.raises(InvalidInput):
        make(tmp_path / "out", url, planner, replace(run, masks=None))


def test_random_masks_are_boxes_that_every_arm_shares(
    tmp_path: Path, url: str, double: WebUiDouble, planner: Planner
) -> None:
    from PIL import Image

    (tmp_path / "starts").mkdir()
    (tmp_path / "starts" / "0.png").write_bytes(draw("start", 0))
    run = replace(RUN, starts=tmp_path / "starts", masks="random", fields={"width": 64})
    made = make(tmp_path / "out", url, planner, run)
    assert len(made) == 12
    masks = {(request["prompt"][:5], request["mask"]) for request in double.requests}
    assert len(masks) == len({mask for _, mask in masks}) == 2
    for number, file in enumerate(sorted((tmp_path / "out" / "masks").iterdir())):
        with Image.open(file) as mask:
            assert mask.size == (64, 512)
            white = mask.point(lambda value: value and 1)
            left, top, right, bottom = white.getbbox() or (0, 0, 0, 0)
            assert sum(white.tobytes()) == (right - left) * (bottom - top) > 0
        assert random_box(number, (64, 512)) == file.read_bytes()


def saved(prompt: str, *texts: str) -> dict[str, Any]:
    note = Note("x", "x")
    plan: Plan = unchanged_plan(prompt, "", 1, len(texts), note, Outcome.DONE)
    return to_json(replace(plan, prompts=texts))


def test_a_saved_plan_is_an_arm(
    tmp_path: Path, url: str, double: WebUiDouble, planner: Planner
) -> None:
    file = tmp_path / "plans.jsonl"
    plans = (saved("a red fox", "a red fox <lora:a:1>"), saved("a blue house", "1", "2"))
    file.write_text("\n".join(map(json.dumps, plans)))
    run = replace(RUN, arms=("base", f"plan:{file}"))
    make(tmp_path / "out", url, planner, run)
    assert planner.asked == []
    texts = [each["prompt"] for each in double.requests]
    assert texts.count("a red fox <lora:a:1>, high quality") == 2
    assert {"1, high quality", "2, high quality"} <= set(texts)
    missing = replace(run, prompts=[EvaluationPrompt("a cat")])
    with pytest.raises(InvalidInput):
        make(tmp_path / "other", url, planner, missing)


def test_arms_are_two_or_more_known_names() -> None:
    assert parse_arms("base, stylus,base") == ("base", "stylus")
    assert parse_arms("base,plan:x.json")[1] == "plan:x.json"
    for text in ("base", "", "base,unknown", "base,plan:"):
        with pytest.raises(InvalidInput):
            parse_arms(text)


def test_a_file_of_prompts(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("# mine\n\na cat\n  a dog \na cat\n")
    assert prompts_of_file(file) == [EvaluationPrompt("a cat"), EvaluationPrompt("a dog")]
    file.write_bytes(b"\xff\xfe\x00")
    for bad in (file, tmp_path / "none.txt"):
        with pytest.raises(InvalidInput):
            prompts_of_file(bad)
    file.write_text("# nothing\n")
    with pytest.raises(InvalidInput):
        prompts_of_file(file)


def test_captions_of_coco_are_one_per_image(tmp_path: Path) -> None:
    lines = [(9, 3, "A dog runs.\n"), (4, 8, "A cat."), (4, 5, " A  grey cat. "), (9, 7, "A dog.")]
    annotations = [{"image_id": image, "id": id, "caption": text} for image, id, text in lines]
    file = tmp_path / "captions_val2014.json"
    file.write_text(json.dumps({"info": {}, "images": [], "annotations": annotations}))
    expected = [EvaluationPrompt("A grey cat."), EvaluationPrompt("A dog runs.")]
    assert prompts_of_file(file) == expected
    for wrong in ("{}", "{", '{"annotations": [1]}', '{"annotations": {}}'):
        file.write_text(wrong)
        with pytest.raises(InvalidInput):
            prompts_of_file(file)


def test_a_table_with_prompts(tmp_path: Path) -> None:
    file = tmp_path / "PartiPrompts.tsv"
    rows = ["Prompt\tCategory\tNote", "a bench\tx\ty", '"the word ""START"""\tx\ty', "a bench\t\t"]
    file.write_text("\r\n".join(rows))
    expected = [EvaluationPrompt("a bench"), EvaluationPrompt('the word "START"')]
    assert prompts_of_file(file) == expected


def test_prompts_of_past_pictures(tmp_path: Path) -> None:
    for number in range(3):
        text = f"a fox {number}, <lora:ink:0.5>\nNegative prompt: bad\nSteps: 5, Seed: 1, Size: 1x1"
        write_png(tmp_path / f"{number}.png", text)
    found = prompts_of_pictures(tmp_path, 2, None, Watch())
    assert len(found) == 2
    assert all("lora" not in each.text and each.negative == "bad" for each in found)
    assert {each.negative for each in prompts_of_pictures(tmp_path, 9, "", Watch())} == {""}
    with pytest.raises(InvalidInput):
        prompts_of_pictures(tmp_path / "none", 2, None, Watch())


def test_a_webui_with_a_password_gets_its_login(
    tmp_path: Path, url: str, double: WebUiDouble, planner: Planner
) -> None:
    double.login = "me:secret:1"
    for login in ("", "me:other"):
        webui = WebUi(url, tries=1, login=login)
        with pytest.raises(LoginNeeded):
            webui.check()
        webui.close()
    webui = WebUi(url, tries=1, login=double.login)
    webui.check()
    writer = TextWriter(planner, RUN.seeds)
    assert len(make_pictures(RUN, PictureFolder(tmp_path / "out"), writer, webui, Watch())) == 12
    webui.close()
    for file in (tmp_path / "out").rglob("*.json*"):
        assert "secret" not in file.read_text("utf-8")
    for wrong in ("me", ":x", "me:"):
        with pytest.raises(InvalidInput):
            WebUi(url, login=wrong)
