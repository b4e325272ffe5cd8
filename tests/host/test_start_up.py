"""What the script does at the WebUI's start: callbacks from a short stack, and defaults for the API
without a page.
"""

from __future__ import annotations

import inspect
import threading
from typing import Any

import pytest
from starlette.applications import Starlette

from tests.host.double import page
from tests.host.double.fixtures import Stage


def deep(levels: int, work: Any) -> Any:
    return work() if levels == 0 else deep(levels - 1, work)


def test_a_callback_is_registered_from_a_short_stack_by_a_frame_of_ours(stage: Stage) -> None:
    from stylus_ext.host import compat

    seen: list[list[str]] = []
    kept: list[Any] = []

    def hook(callback: Any) -> None:
        seen.append([frame.filename for frame in inspect.stack(0)])
        kept.append(callback)

    deep(40, lambda: compat.register((hook, len), (hook, repr)))
    assert kept == [len, repr]
    assert all(len(files) <= 10 for files in seen)
    assert all(files[1] == compat.__file__ for files in seen)


def test_what_goes_wrong_there_is_raised_here_and_no_thread_stays(stage: Stage) -> None:
    from stylus_ext.host import compat

    def refuse(callback: Any) -> None:
        raise RuntimeError(f"no {callback.__name__} today")

    before = threading.active_count()
    with pytest.raises(RuntimeError, match="no len today"):
        compat.register((refuse, len))
    assert threading.active_count() == before


def test_the_api_gets_its_defaults_without_a_single_component(stage: Stage) -> None:
    before = page.Block.count
    for runner in (stage.host.txt2img, stage.host.img2img):
        shown = [component.value for component in runner.inputs[1:]]
        assert runner.api_defaults()[1:] == shown
    assert page.Block.count == before


def test_the_defaults_do_not_follow_what_the_page_shows(stage: Stage) -> None:
    """A value that somebody saved for the page (ui-config.json) must not switch every API call
    on.
    """
    stage.host.txt2img.inputs[1].value = True
    assert stage.host.txt2img.api_defaults()[1] is False


def test_fields_of_the_page_stay_when_the_defaults_are_asked(stage: Stage) -> None:
    script = next(script for script in stage.host.txt2img.scripts if script.title() == "Stylus")
    fields = script.infotext_fields
    stage.host.txt2img.api_defaults()
    assert script.infotext_fields is fields


def test_a_host_that_never_told_of_its_prompt_gets_the_whole_panel(stage: Stage) -> None:
    script = next(script for script in stage.host.txt2img.scripts if script.title() == "Stylus")
    script.boxes = {}
    with page.Blocks():
        made = script.ui(False)
    assert [type(component) for component in made] == [
        type(component) for component in stage.host.txt2img.inputs[1:]
    ]


def early_starts(stage: Stage) -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "stylus-early-start"]


def restart(stage: Stage) -> int:
    """Start the WebUI anew; how often its engine was started without a click."""
    before = stage.engine.started
    stage.host.start()
    (app_started,) = stage.host.callbacks["on_app_started"]
    app_started(None, Starlette())
    for thread in early_starts(stage):
        thread.join()
    return int(stage.engine.started - before)


def tick(stage: Stage, *, enabled: bool) -> None:
    box = stage.host.page.by_id("stylus_txt2img_enabled-checkbox")
    list(box.events["change"].fn(page.Request(), enabled, page.untick_counter()))


def test_the_engine_starts_with_the_webui_if_the_panel_was_enabled(stage: Stage) -> None:
    assert restart(stage) == 0
    tick(stage, enabled=True)
    assert restart(stage) == 1
    stage.host.opts.data["stylus_start_early"] = False
    assert restart(stage) == 0
    stage.host.opts.data["stylus_start_early"] = True
    tick(stage, enabled=False)
    assert restart(stage) == 0


def test_a_stranger_does_not_change_what_is_remembered(stage: Stage) -> None:
    box = stage.host.page.by_id("stylus_txt2img_enabled-checkbox")
    stranger = page.Request({"host": "evil.example:7860"})
    list(box.events["change"].fn(stranger, True, page.untick_counter()))
    assert restart(stage) == 0
    stage.host.cmd_opts.listen = True
    tick(stage, enabled=True)
    assert restart(stage) == 0, "anyone in the network can tick it"
    assert not (stage.host.data_path / "stylus").exists()
