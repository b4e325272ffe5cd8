"""The panel: what stands in it, its ids, its events, and that making it again for the API changes
nothing.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stylus_ext.host.checkpoint import loaded_checkpoint
from stylus_ext.host.engine.setup_state import EngineReport, EngineState
from tests.host.double import page
from tests.host.double.fixtures import Stage

TABS = ("txt2img", "img2img")
SESSION = "0123456789abcdef0123456789abcdef.txt2img"
OTHER_PAGE = "fedcba9876543210fedcba9876543210.txt2img"
READY_MARK = '<span class="stylus-ready" hidden></span>'


def part(stage: Stage, name: str, tab: str = "txt2img") -> Any:
    return stage.host.page.by_id(f"stylus_{tab}_{name}")


def texts(states: list[list[Any]]) -> list[str]:
    return [state[0] for state in states]


def test_it_stands_in_both_tabs_once(stage: Stage) -> None:
    ids = [elem_id for elem_id in stage.host.page.ids() if elem_id.startswith("stylus")]
    assert len(set(ids)) == len(ids)
    for tab in TABS:
        assert f"stylus_{tab}_enabled-checkbox" in ids
    assert all(elem_id.startswith(("stylus_txt2img_", "stylus_img2img_")) for elem_id in ids)


def test_every_component_of_ours_has_an_id(stage: Stage) -> None:
    for runner in (stage.host.txt2img, stage.host.img2img):
        assert all(component.elem_id.startswith("stylus_") for component in runner.inputs[1:])


def test_the_components_are_in_the_order_of_the_values(stage: Stage) -> None:
    from stylus_ext.host.values import NAMES

    found = [
        component.elem_id.removeprefix("stylus_txt2img_").removesuffix("-checkbox")
        for component in stage.host.txt2img.inputs[1:]
    ]
    ids = {"session_id": "seat"}  # the page's own extensions find parts by their ids
    assert found == [ids.get(name, name) for name in NAMES]


def test_it_is_off_and_what_the_engine_cannot_do_is_not_shown(stage: Stage) -> None:
    assert part(stage, "enabled-checkbox").value is False
    for hidden in ("composer", "downloads", "replay", "set_up", "retry", "afresh"):
        assert part(stage, hidden).visible is False
    for shown in (
        "max_adapters",
        "per_task",
        "strength",
        "diversity",
        "family",
        "seed",
        "vary_inside_batch",
    ):
        assert part(stage, shown).visible is True


def test_limits_are_those_of_the_settings(stage: Stage) -> None:
    assert (part(stage, "max_adapters").minimum, part(stage, "max_adapters").maximum) == (0, 10)
    assert (
        part(stage, "strength").minimum,
        part(stage, "strength").maximum,
        part(stage, "strength").step,
    ) == (0.0, 2.0, 0.05)
    assert part(stage, "diversity").choices == ["varied", "paper", "all", "subsets"]
    assert part(stage, "family").choices[:2] == ["auto", "sd1"]


def test_making_it_again_for_the_api_wires_nothing(stage: Stage) -> None:
    before = {
        component._id: dict(component.events)
        for component in stage.host.page.blocks.values()
        if isinstance(component, page.Component)
    }
    defaults = stage.host.txt2img.api_defaults()
    assert defaults[1:] == [component.value for component in stage.host.txt2img.inputs[1:]]
    after = {
        component._id: dict(component.events)
        for component in stage.host.page.blocks.values()
        if isinstance(component, page.Component)
    }
    assert before == after


def test_the_api_has_defaults_that_json_can_say(stage: Stage) -> None:
    assert stage.host.txt2img.api_defaults()[1:] == [
        False,
        "rules",
        3,
        1,
        1.0,
        "varied",
        False,
        False,
        -1,
        "auto",
        "",
        False,
        "",
        "auto",
    ]


def test_an_old_host_gets_a_plain_accordion(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A1111 before 1.6 has no InputAccordion."""
    import sys

    monkeypatch.delattr(sys.modules["modules.ui_components"], "InputAccordion")
    stage.host.start()
    assert part(stage, "enabled").value is False
    assert part(stage, "enabled").label == "Enable"


def test_ticking_the_box_starts_the_engine_and_follows_it(stage: Stage) -> None:
    change = part(stage, "enabled-checkbox").events["change"]
    shown = list(change.fn(page.Request(), True, page.untick_counter()))[-1]
    assert shown[0] == READY_MARK
    assert "SD 1.5" in shown[3]["info"]
    assert stage.engine.started == 1
    assert texts(list(change.fn(page.Request(), False, page.untick_counter()))) == [""]


def test_ticking_the_box_reads_the_folders_once(stage: Stage) -> None:
    """Whatever was interrupted before: a flag of the last picture stays until the next one
    begins.
    """
    stage.host.state.interrupted = True
    change = part(stage, "enabled-checkbox").events["change"]
    told = texts(list(change.fn(page.Request(), True, page.untick_counter())))
    assert any("<p>Reading your LoRAs.</p>" in text for text in told)
    list(change.fn(page.Request(), True, page.untick_counter()))
    folders = [str(stage.host.data_path)]
    assert stage.asked == []
    assert [question["lora_dirs"] for question in stage.client.read] == [folders]
    assert stage.client.indexed == [folders]
    stage.host.state.interrupted = False
    stage.host.api({"enabled": True}, prompt="a corgi")
    assert stage.asked[-1]["lora_dirs"] == []


def test_trouble_while_reading_is_said_in_the_panel(stage: Stage) -> None:
    from tests.host.double.planner import gone

    stage.client.trouble = gone()
    assert (
        texts(
            list(
                part(stage, "enabled-checkbox")
                .events["change"]
                .fn(page.Request(), True, page.untick_counter())
            )
        )[-1]
        == "<p>The engine ended while it planned.</p>"
    )
    stage.client.trouble = None
    stage.host.api({"enabled": True}, prompt="a corgi")
    assert stage.asked[-1]["lora_dirs"] == [str(stage.host.data_path)]


def test_it_follows_an_engine_that_is_on_its_way(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host.panel import events

    stages = [
        EngineReport(
            EngineState.SETTING_UP, "The engine is being set up.", "packages", 10, 830, 40
        ),
        EngineReport(
            EngineState.SETTING_UP, "The engine is being set up.", "packages", 400, 830, 20
        ),
        EngineReport(EngineState.STARTING, "The engine is starting."),
        EngineReport(EngineState.READY, "The engine is ready.", pid=1),
    ]
    monkeypatch.setattr(
        stage.engine, "report", lambda: stages.pop(0) if len(stages) > 1 else stages[0]
    )
    monkeypatch.setattr(events, "_LOOK_EVERY_S", 0.0)
    told = texts(list(events.watch(True, page.untick_counter(), page.Request())))
    assert "packages: 400 of 830 MB, about 20 s left." in told[0]
    assert "ready" in told[-1]


def test_an_engine_that_has_just_been_asked_to_start_still_looks_stopped(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host.engine.setup_state import ready, starting, stopped
    from stylus_ext.host.panel import events

    stages = [stopped(), stopped(), starting(1), ready("http://127.0.0.1:1", 1, "0.1.0")]
    monkeypatch.setattr(
        stage.engine, "report", lambda: stages.pop(0) if len(stages) > 1 else stages[0]
    )
    monkeypatch.setattr(events, "_LOOK_EVERY_S", 0.0)
    told = texts(list(events.watch(True, page.untick_counter(), page.Request())))
    assert "ready" in told[-1]


@pytest.mark.parametrize(
    ("state", "set_up", "retry"),
    [
        (EngineState.NOT_SET_UP, True, False),
        (EngineState.FAILED, False, True),
        (EngineState.STOPPED, False, False),
    ],
)
def test_buttons_are_there_when_they_are_needed(
    stage: Stage, state: EngineState, set_up: bool, retry: bool
) -> None:
    stage.engine.state = state
    shown = part(stage, "family").events["input"].fn(page.Request(), "auto")
    assert (shown[1]["visible"], shown[2]["visible"]) == (set_up, retry)


def test_set_up_builds_and_starts(stage: Stage) -> None:
    stage.engine.state = EngineState.NOT_SET_UP
    click = part(stage, "set_up").events["click"]
    assert "ready" in texts(list(click.fn(page.Request(), page.untick_counter())))[-1]
    assert (stage.engine.set_ups, stage.engine.started) == (1, 1)
    assert part(stage, "retry").events["click"].fn is click.fn


def test_a_stranger_in_the_network_may_not_set_up(stage: Stage) -> None:
    """With --listen and without a password; gradio's events are a way in too."""
    stage.host.cmd_opts.listen = True
    shown = list(
        part(stage, "set_up")
        .events["click"]
        .fn(page.Request({"host": "192.168.1.5:7860"}), page.untick_counter())
    )
    assert stage.engine.set_ups == 0
    assert "password" in texts(shown)[0]
    refused = (
        part(stage, "family").events["input"].fn(page.Request({"host": "192.168.1.5:7860"}), "pony")
    )
    assert "password" in refused[0]
    assert stage.planner.remembered.get(loaded_checkpoint()) is None


def test_a_chosen_family_is_kept_for_the_checkpoint(stage: Stage) -> None:
    choose = part(stage, "family").events["input"].fn
    shown = choose(page.Request(), "pony")
    assert shown[3]["value"] == "pony"
    stage.host.page.by_id("stylus_txt2img_enabled-checkbox").value = True
    stage.host.generate(prompt="a corgi")
    assert stage.asked[-1]["settings"]["selection"]["family"] == "pony"
    stage.host.model.sd_checkpoint_info.sha256 = "cd" * 32
    stage.host.generate(prompt="a corgi")
    assert stage.asked[-1]["settings"]["selection"]["family"] == "sd1"
    stage.host.model.sd_checkpoint_info.sha256 = "ab" * 32
    again = choose(page.Request(), "auto")[3]
    assert again["value"] == "auto"
    assert "SD 1.5" in again["info"]


def test_after_a_generation_its_notes_are_shown(stage: Stage) -> None:
    stage.host.page.by_id("stylus_txt2img_enabled-checkbox").value = True
    part(stage, "seat").value = SESSION
    stage.host.generate(prompt="the sea")
    made = stage.host.page.by_id("generation_info_txt2img")
    assert "No LoRA here fits" in made.events["change"].fn(page.Request(), True, SESSION)[0]
    assert made.events["change"].fn(page.Request(), False, SESSION)[0] == ""


def test_notes_are_shown_to_the_page_whose_pictures_they_are_about(stage: Stage) -> None:
    stage.host.api({"enabled": True}, prompt="the sea")
    made = stage.host.page.by_id("generation_info_txt2img").events["change"].fn
    change = part(stage, "enabled-checkbox").events["change"].fn
    for shown in (
        made(page.Request(), True, SESSION),
        list(change(page.Request(), True, page.untick_counter()))[-1],
    ):
        assert shown[0] == READY_MARK


def test_what_is_shown_is_escaped(stage: Stage) -> None:
    from stylus_ext.host.panel.events import line

    assert line("<script>1</script>") == "<p>&lt;script&gt;1&lt;/script&gt;</p>"
    assert line("") == ""


def test_events_that_look_at_the_request_say_so_to_gradio(stage: Stage) -> None:
    """gradio hands it over where the annotation is its own Request."""
    from typing import get_type_hints

    for name, event in (("set_up", "click"), ("family", "input"), ("enabled-checkbox", "change")):
        fn = part(stage, name).events[event].fn
        assert get_type_hints(fn)["request"] is page.Request
        assert "request" in inspect.signature(fn).parameters


def test_names_that_send_to_takes_along_are_fields_of_both_tabs(stage: Stage) -> None:
    for runner in (stage.host.txt2img, stage.host.img2img):
        labels = {target for _, target in runner.fields if isinstance(target, str)}
        assert set(runner.sent) == labels
        assert len(runner.sent) == 8
        assert all(callable(target) for _, target in runner.fields)


def test_an_unknown_checkpoint_is_said_in_the_panel(stage: Stage) -> None:
    stage.host.model.is_sd1 = False
    shown = part(stage, "family").events["input"].fn(page.Request(), "auto")
    assert "base model" in shown[0]
    done = stage.host.api({"enabled": True}, prompt="a corgi")
    assert stage.asked == []
    assert any("base model" in text for text in done.p.comments)


def test_what_is_always_wanted_is_used_on_an_unknown_checkpoint(stage: Stage) -> None:
    stage.host.model.is_sd1 = False
    stage.client.wanted = ["corgi_dog", "not_listed"]
    done = stage.host.api({"enabled": True}, prompt="a corgi, watercolor")
    assert stage.asked[0]["stems"] == ["corgi_dog"]
    assert stage.asked[0]["settings"]["selection"]["family"] == "any"
    assert "<lora:corgi_dog:0.8>" in done.infotexts[0]
    assert "<lora:watercolor" not in done.infotexts[0]
    assert any("set to Always" in text for text in done.p.comments)


def test_a_model_is_never_loaded_to_be_looked_at(stage: Stage, tmp_path: Path) -> None:
    """Reading `shared.sd_model` would load one; before the first picture Forge has a stand-in
    without attributes.
    """
    import sys

    assert not hasattr(sys.modules["modules.shared"], "sd_model")
    models: Any = sys.modules["modules.sd_models"]
    models.model_data.sd_model = None
    info = SimpleNamespace(
        name="flux1-dev.safetensors",
        filename=str(tmp_path / "flux1-dev.safetensors"),
        sha256=None,
        metadata={},
    )
    models.checkpoint_aliases = {"tiny": info}
    stage.host.api({"enabled": True}, prompt="a corgi")
    assert stage.asked[0]["settings"]["selection"]["family"] == "flux1"


def test_the_pages_family_stands_in_where_nothing_else_says_one(stage: Stage) -> None:
    stage.host.model.is_sd1 = False
    stage.host.opts.data["stylus_selection_family"] = "sdxl"
    stage.host.api({"enabled": True}, prompt="a corgi")
    assert stage.asked[0]["settings"]["selection"]["family"] == "sdxl"


def test_the_page_stands_without_what_only_a_picture_needs() -> None:
    """Start-up has 50 ms (DESIGN.md): no prompt parser, no numpy, no engine's client for it."""
    import subprocess
    import sys

    from tests.host.double.webui import ROOT

    program = """
import sys
from pathlib import Path
from types import SimpleNamespace
from tests.host.double.webui import Host
host = Host(Path("."), SimpleNamespace(setitem=lambda table, name, value: table.__setitem__(name, value)))
before = set(sys.modules)
host.start()
print(" ".join(sorted(set(sys.modules) - before)))
"""  # noqa: E501
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = done.stdout.split()
    assert "stylus_ext.host.panel.layout" in found
    heavy = (
        "numpy",
        "stylus_ext.core.prompt",
        "stylus_ext.core.plan",
        "stylus_ext.host.engine.supervisor",
        "http.client",
        "httpx",
        "torch",
    )
    assert not [name for name in found if name.startswith(heavy)]


def test_a_note_without_what_the_line_says_is_whole_sentences(stage: Stage) -> None:
    stage.engine.looks = 10**9
    stage.host.opts.data |= {"stylus_cold_s": 0.5}
    notes = stage.host.api({"enabled": True}, prompt="a corgi").p.comments
    from stylus_ext.host.panel import events

    shown = events.shown_of(stage.planner, stage.engine.report(), list(notes))[0]
    assert stage.engine.report().sentence in shown
    assert ".." not in shown
    assert ":  " not in shown


def test_another_page_shows_no_note_of_this_one(stage: Stage) -> None:
    stage.engine.state = EngineState.FAILED
    stage.host.page.by_id("stylus_txt2img_enabled-checkbox").value = True
    part(stage, "seat").value = SESSION
    stage.host.generate(prompt="a corgi")
    look = stage.host.page.by_id("generation_info_txt2img").events["change"].fn
    shown = {
        page_id: look(page.Request(), True, page_id)[0] for page_id in (SESSION, OTHER_PAGE, "")
    }
    assert "left the prompt" in shown[SESSION]
    assert not [page_id for page_id, text in shown.items() if "left" in text and page_id != SESSION]


def test_a_note_does_not_say_again_what_the_line_says(stage: Stage) -> None:
    stage.engine.state = EngineState.NOT_SET_UP
    stage.host.page.by_id("stylus_txt2img_enabled-checkbox").value = True
    part(stage, "seat").value = SESSION
    stage.host.generate(prompt="a corgi")
    shown = (
        stage.host.page.by_id("generation_info_txt2img")
        .events["change"]
        .fn(page.Request(), True, SESSION)[0]
    )
    assert shown.count("The engine is not set up yet.") == 1
    assert "Stylus left the prompt as it was." in shown
