"""Beside other scripts: ADetailer's face pass, grids, Dynamic Prompts before us and after us, runs
inside runs, reloads.
"""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest

from tests.host.double.fixtures import Stage
from tests.host.double.processing import (
    Processed,
    Processing,
    parse_generation_parameters,
    process_images,
    xyz,
)
from tests.host.double.webui import ALWAYS_VISIBLE, Script

ON = {"enabled": True}
PROMPT = "a corgi, watercolor"


class Company(Script):
    """Another always-on script; `seen` has what it found."""

    seen: list[Any] = []

    def title(self) -> str:
        return type(self).__name__

    def show(self, is_img2img: bool) -> Any:
        return ALWAYS_VISIBLE

    def ui(self, is_img2img: bool) -> list[Any]:
        return []


class FacePass(Company):
    """As ADetailer does it: a second generation for each picture, on the first one's own prompt, in
    the same script runner.
    """

    filtered = True

    def postprocess_image(self, p: Any, pp: Any, *args: Any) -> None:
        if p.init_images is not None:
            return
        inner = Processing(
            p.host,
            p.all_prompts[p.iteration * p.batch_size + p.batch_index],
            seed=p.seed,
            init_images=["the face"],
        )
        if not self.filtered:
            inner.give_scripts(p.scripts, p.script_args)
        self.seen.append(process_images(inner))


class FacePassWithAll(FacePass):
    filtered = False


class CopiedPass(Company):
    """Others copy the whole `p`."""

    def postprocess_image(self, p: Any, pp: Any, *args: Any) -> None:
        if p.init_images is None:
            inner = copy.copy(p)
            inner.init_images, inner.n_iter, inner.batch_size = ["the picture"], 1, 1
            inner.prompt = p.all_prompts[0]
            self.seen.append(process_images(inner))


class HooksAgain(Company):
    """ADetailer lets the others end on a copy before its pass, and begin again on another one after
    a batch's last picture.
    """

    def postprocess_image(self, p: Any, pp: Any, *args: Any) -> None:
        if p.batch_index == 0:
            p.scripts.call("postprocess", copy.copy(p), Processed([], [], p))
        prompts = list(p.all_prompts)
        if p.batch_index == p.batch_size - 1:
            other = copy.copy(p)
            p.scripts.call("before_process", other)
            p.scripts.call("process", other)
        self.seen.append((prompts, p.all_prompts))


class Wildcards(Company):
    """Makes prompts of its own in `process`; the host's order says whether it comes before us or
    after.
    """

    def process(self, p: Any, *args: Any) -> None:
        animals = ("corgi", "knight", "corgi")
        p.all_prompts = [
            p.prompt.replace("__animal__", animals[number % 3])
            for number in range(len(p.all_prompts))
        ]


class Shouting(Company):
    """Adds to what it finds."""

    def process(self, p: Any, *args: Any) -> None:
        p.all_prompts = [f"{text}, loud" for text in p.all_prompts]


def restarted(stage: Stage, *others: type[Company], first: bool = False) -> None:
    for other in others:
        other.seen = []
    stage.host.others = list(others)
    stage.host.start()
    if first:
        for runner in (stage.host.txt2img, stage.host.img2img):
            runner.scripts.reverse()


def test_the_face_pass_has_the_tags_and_no_plan_of_its_own(stage: Stage) -> None:
    restarted(stage, FacePass)
    done = stage.host.api(ON, prompt=PROMPT, n_iter=2)
    assert len(stage.asked) == 1
    for outer, inner in zip(done.images, FacePass.seen, strict=True):
        assert inner.images[0].pixels[2][2] == outer.pixels[2][2]


@pytest.mark.parametrize("kind", [FacePassWithAll, CopiedPass])
def test_a_run_inside_a_run_never_plans(stage: Stage, kind: type[Company]) -> None:
    """Even if its author let us in: the host's loop is on the stack twice."""
    restarted(stage, kind)
    done = stage.host.api(ON, prompt=PROMPT)
    assert len(stage.asked) == 1
    assert len(kind.seen) == 1
    inner = parse_generation_parameters(kind.seen[0].infotexts[0])["Prompt"]
    assert inner == parse_generation_parameters(done.infotexts[0])["Prompt"]
    assert inner.count("<lora:corgi_dog:") == 1


@pytest.mark.parametrize("first", [False, True])
def test_hooks_that_are_called_again_between_two_pictures_change_nothing(
    stage: Stage, first: bool
) -> None:
    before = stage.host.api(ON, prompt=PROMPT, n_iter=2, batch_size=2)
    asked = len(stage.asked)
    restarted(stage, HooksAgain, first=first)
    done = stage.host.api(ON, prompt=PROMPT, n_iter=2, batch_size=2)
    assert len(stage.asked) - asked <= asked
    assert done.infotexts == before.infotexts
    assert done.grid == before.grid
    assert [image.pixels for image in done.images] == [image.pixels for image in before.images]
    assert done.p.comments == before.p.comments
    assert all(prompts == still for prompts, still in HooksAgain.seen)


def test_cells_of_a_grid_ask_once_as_long_as_nothing_of_ours_changes(stage: Stage) -> None:
    p = grid(stage)
    cells = xyz(p, lambda cell, value, _: setattr(cell, "steps", value), [10, 20, 30])
    assert len(stage.asked) == 1
    assert {parse_generation_parameters(cell.infotexts[0])["Stylus mask"] for cell in cells} == {
        "+corgi_dog +watercolor_style"
    }


def test_a_grid_over_prompts_asks_for_each(stage: Stage) -> None:
    xyz(
        grid(stage),
        lambda cell, value, _: setattr(cell, "prompt", value),
        ["a corgi", "a knight", "a corgi"],
    )
    asked = [question["prompts"][0]["prompt"] for question in stage.asked]
    assert asked == ["a corgi", "a knight"]


def grid(stage: Stage, enabled: bool = True) -> Processing:
    p = Processing(stage.host, PROMPT, is_api=True)
    p.give_scripts(
        stage.host.txt2img, tuple([0, {"enabled": enabled}, *stage.host.txt2img.api_defaults()[2:]])
    )
    return p


def axis(stage: Stage, label: str) -> Any:
    found = [
        option
        for option in stage.host.xyz_module.axis_options
        if option.label == f"[Stylus] {label}"
    ]
    assert len(found) == 1
    return found[0]


def test_axes_are_there_once_however_often_the_ui_is_reloaded(stage: Stage) -> None:
    for _ in range(3):
        stage.host.start()
        for label in (
            "Enabled",
            "Composer",
            "Strength",
            "Max per concept",
            "Vary LoRAs between batches",
            "Selection seed",
        ):
            axis(stage, label)
    from stylus_ext.host.register import add_axes

    add_axes()
    assert len(stage.host.xyz_module.axis_options) == 8


def test_a_host_without_its_grid_has_no_axes(stage: Stage) -> None:
    from stylus_ext.host.register import add_axes

    stage.host.scripts.scripts_data.clear()
    assert not add_axes()


def test_a_grid_that_is_loaded_after_us_gets_its_axes_before_the_ui(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host import compat

    later = [None, compat.xyz_axes()]
    monkeypatch.setattr(compat, "xyz_axes", lambda: later.pop(0))
    stage.host.xyz_module.axis_options.clear()
    from stylus_ext.host.register import register

    stage.host.callbacks.clear()
    register()
    assert not stage.host.xyz_module.axis_options
    for callback in stage.host.callbacks["on_before_ui"]:
        callback()
    assert len(stage.host.xyz_module.axis_options) == 7


def test_the_hosts_start_pays_for_two_callbacks_and_a_picture_for_another(stage: Stage) -> None:
    """With each the host walks its whole stack, and reload upon reload there is one of each."""
    for _ in range(2):
        stage.host.start()
        assert {name: len(found) for name, found in stage.host.callbacks.items()} == {
            "on_app_started": 1,
            "on_ui_tabs": 1,
        }
        assert stage.host.opts.stylus_engine_url == ""
        stage.host.api({"enabled": False}, prompt=PROMPT, n_iter=2)
        assert "on_image_grid" not in stage.host.callbacks
        for _ in range(2):
            stage.host.api(ON, prompt=PROMPT, n_iter=2)
        assert len(stage.host.callbacks["on_image_grid"]) == 1


def test_an_axis_over_strengths(stage: Stage) -> None:
    strength = axis(stage, "Strength")
    cells = xyz(grid(stage), strength.apply, [strength.type(text) for text in ("0.25", "0.5")])
    prompts = [parse_generation_parameters(cell.infotexts[0])["Prompt"] for cell in cells]
    assert ["corgi_dog:0.2>" in prompts[0], "corgi_dog:0.4>" in prompts[1]] == [True, True]


@pytest.mark.parametrize("panel", [True, False])
def test_an_axis_that_switches_it_on_and_off(stage: Stage, panel: bool) -> None:
    """Cells share one dictionary of fields, so what a cell left there must not reach the next
    (HOST.md d).
    """
    cells = xyz(grid(stage, panel), axis(stage, "Enabled").apply, ["True", "False", "true"])
    on = [
        (
            "Stylus: " in cell.infotexts[0],
            "Lora hashes" in cell.infotexts[0],
            bool(cell.images[0].pixels[2][2]),
        )
        for cell in cells
    ]
    assert on == [(True, True, True), (False, False, False), (True, True, True)]
    for cell in cells:
        assert stage.host.without_stylus(cell.infotexts[0]).pixels == cell.images[0].pixels


def test_axes_of_two_kinds_meet_in_one_cell(stage: Stage) -> None:
    strength, seed = axis(stage, "Strength"), axis(stage, "Selection seed")

    def both(cell: Any, value: Any, values: Any) -> None:
        strength.apply(cell, 0.5, values)
        seed.apply(cell, value, values)

    xyz(grid(stage), both, [5, 6])
    assert [
        (question["seeds"], question["settings"]["weights"]["strength"]) for question in stage.asked
    ] == [([5], 0.5), ([6], 0.5)]


def test_a_wrong_value_on_an_axis_is_refused_in_its_cell_alone(stage: Stage) -> None:
    diversity = axis(stage, "Vary LoRAs between batches")
    assert diversity.choices() == ["varied", "paper", "all", "subsets"]
    cells = xyz(grid(stage), diversity.apply, ["wild", "all"])
    assert ["<lora:" in cell.infotexts[0] for cell in cells] == [False, True]


def test_wildcards_are_resolved_before_we_plan(stage: Stage) -> None:
    restarted(stage, Wildcards, first=True)
    done = stage.host.api(ON, prompt="a __animal__", n_iter=3)
    (asked,) = stage.asked
    assert [texts["prompt"] for texts in asked["prompts"]] == ["a corgi", "a knight"]
    for image, text in zip(done.images, done.infotexts, strict=True):
        assert stage.host.without_stylus(text).pixels == image.pixels


def test_it_notices_when_somebody_overwrites_its_work(stage: Stage) -> None:
    restarted(stage, Wildcards)
    done = stage.host.api(ON, prompt="a __animal__, watercolor", n_iter=2)
    assert any(
        "Another script changed the prompts after Stylus" in text for text in done.p.comments
    )
    for image, text in zip(done.images, done.infotexts, strict=True):
        said = parse_generation_parameters(text)
        assert "Stylus mask" not in said
        assert "Stylus prompt" not in said
        assert said["Stylus notes"]
        assert stage.host.without_stylus(text).pixels == image.pixels


def test_others_may_add_to_a_prompt(stage: Stage) -> None:
    restarted(stage, Shouting)
    done = stage.host.api(ON, prompt=PROMPT)
    assert (
        parse_generation_parameters(done.infotexts[0])["Stylus mask"]
        == "+corgi_dog +watercolor_style"
    )
    assert "notes" not in done.infotexts[0]


def test_the_host_can_order_us_after_those_that_make_prompts() -> None:
    import configparser
    from pathlib import Path

    read = configparser.ConfigParser()
    read.read(Path(__file__).resolve().parents[2] / "metadata.ini", "utf-8")
    assert "sd-dynamic-prompts" in read["scripts/stylus.py"]["After"]


def test_a_reload_leaves_exactly_one_of_everything(stage: Stage) -> None:
    before = {name: len(callbacks) for name, callbacks in stage.host.callbacks.items()}
    for _ in range(3):
        stage.host.start()
    assert {name: len(callbacks) for name, callbacks in stage.host.callbacks.items()} == before
    assert set(before.values()) == {1}
    assert [script.title() for script in stage.host.txt2img.scripts] == ["Stylus"]
    assert len(stage.host.api(ON, prompt=PROMPT, n_iter=2).images) == 2
    assert len(stage.asked) == 1


def test_the_extensions_root_is_needed_on_the_path_while_the_script_is_read_only(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host takes it away again; what is imported later is found in the package that is there
    (HOST.md g).
    """
    import sys

    from tests.host.double.webui import ROOT

    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(ROOT))])
    for name in (
        "stylus_ext.host.generation",
        "stylus_ext.host.planner",
    ):
        assert name in sys.modules
    assert "<lora:" in stage.host.api(ON, prompt=PROMPT).infotexts[0]


def test_switched_off_it_changes_nothing(stage: Stage) -> None:
    p: Any = Processing(stage.host, PROMPT, extra_generation_params={"Steps": 20})
    _all_hooks(stage.host.txt2img.scripts[0], p, tuple(stage.host.txt2img.api_defaults()[1:]))
    assert vars(p).keys() == vars(Processing(stage.host, PROMPT)).keys()


@pytest.mark.long
def test_switched_off_it_costs_less_than_a_millisecond(stage: Stage) -> None:
    """All its hooks of one generation together; DESIGN.md's budget."""
    script = stage.host.txt2img.scripts[0]
    p: Any = Processing(stage.host, PROMPT, extra_generation_params={"Steps": 20})
    args = tuple(stage.host.txt2img.api_defaults()[1:])
    best = min(_seconds(lambda: _all_hooks(script, p, args)) for _ in range(20))
    assert best < 0.001


def _all_hooks(script: Any, p: Any, args: tuple[Any, ...]) -> None:
    script.setup(p, *args)
    script.before_process(p, *args)
    script.process(p, *args)
    script.before_process_batch(p, *args, batch_number=0, prompts=[PROMPT], seeds=[1], subseeds=[1])
    script.postprocess_image(p, None, *args)
    script.postprocess(p, None, *args)


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
