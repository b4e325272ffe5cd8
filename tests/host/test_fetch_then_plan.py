"""Pictures whose LoRAs are not there yet: the script in the double, a real engine, and a local
Civitai that behaves as it likes.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.civitai_service.faults import Fault
from tests.host.double import page
from tests.host.double.processing import Processing, process_images, xyz
from tests.host.downloads import BUCKET, ON, Scene, number_of


def test_a_picture_gets_a_lora_that_was_not_there(scene: Scene) -> None:
    assert "<lora:" not in scene.prompts(scene.make("zebrastripe at night", {"enabled": True}))[0]
    done = scene.make("zebrastripe at night", n_iter=2, batch_size=2, enable_hr=True)
    assert all("<lora:zebrastripe" in prompt for prompt in scene.prompts(done)[:2])
    assert (scene.folder / "zebrastripe.safetensors").read_bytes() == scene.civitai.files[
        number_of("zebrastripe")
    ]
    assert "zebrastripe" in scene.told(done)
    assert scene.true(done, enable_hr=True)
    assert scene.downloads_of("zebrastripe") == 1
    again = scene.make("zebrastripe at night", {"enabled": True})
    assert "<lora:zebrastripe" in scene.prompts(again)[0], "what is on disk now needs no switch"
    assert scene.downloads_of("zebrastripe") == 1


def test_what_comes_is_shown_with_its_size(scene: Scene) -> None:
    body = scene.civitai.files[number_of("zebrastripe")]
    scene.civitai.faults.add(
        Fault(BUCKET % number_of("zebrastripe"), on="storage", pace=len(body) / 1.5)
    )
    lines = list[str]()
    with scene.meanwhile(lambda: lines.append(scene.planner.downloads.line), lambda: None):
        scene.make("zebrastripe at night")
    texts = [text for text in scene.stage.host.state.texts if "fetching" in text]
    assert texts[0].startswith("Stylus: fetching Zebrastripe (")
    assert any(" of " in text and " MB" in text and "s left" in text for text in texts), texts[-3:]
    assert any(line in texts for line in lines if line), "the panel's line is the same"
    assert scene.stage.host.state.textinfo is None
    assert scene.planner.downloads.line == ""


def test_all_prompts_are_asked_before_anything_is_fetched_and_each_file_comes_once(
    scene: Scene,
) -> None:
    prompts = ["zebrastripe", "quokkaville", "a zebrastripe"]
    p = Processing(scene.stage.host, prompts, is_api=True, n_iter=3)
    p.give_scripts(scene.stage.host.txt2img, (0, dict(ON)))
    done = process_images(p)
    assert scene.fetched() == [["civitai:11", "civitai:12"]]
    said = scene.prompts(done)
    assert ["<lora:zebrastripe" in text for text in said] == [True, False, True]
    assert ["<lora:quokkaville" in text for text in said] == [False, True, False]
    assert scene.true(done)
    assert (scene.downloads_of("zebrastripe"), scene.downloads_of("quokkaville")) == (1, 1)


def test_what_is_refused_is_left_out_and_said(scene: Scene) -> None:
    scene.civitai.rules[number_of("zebrastripe")] = "archived"
    done = scene.make("zebrastripe and quokkaville")
    assert "<lora:quokkaville" in scene.prompts(done)[0], scene.told(done)
    assert "<lora:zebrastripe" not in scene.prompts(done)[0]
    assert "archived on Civitai" in scene.told(done)
    assert "archived" not in done.infotexts[0]
    assert scene.true(done)
    assert not list(scene.folder.glob("zebra*"))


def test_a_file_with_another_hash_is_not_kept(scene: Scene) -> None:
    scene.civitai.faults.add(
        Fault(
            BUCKET % number_of("zebrastripe"),
            on="storage",
            times=-1,
            alter=lambda body: body[:-8] + b"deadbeef",
        )
    )
    done = scene.make("zebrastripe at night")
    assert "<lora:" not in scene.prompts(done)[0]
    assert "SHA256" in scene.told(done)
    assert not list(scene.folder.glob("*.safetensors"))
    assert scene.true(done)


def test_cells_of_a_grid_share_what_came_and_what_did_not(scene: Scene) -> None:
    from stylus_ext.host.register import apply

    scene.civitai.rules[number_of("quokkaville")] = "missing"
    p = Processing(scene.stage.host, "zebrastripe and quokkaville", is_api=True, n_iter=2)
    p.give_scripts(scene.stage.host.txt2img, (0, dict(ON)))
    cells = xyz(p, apply("strength"), [0.5, 1.0, 1.5])
    assert all("<lora:zebrastripe" in text for done in cells for text in scene.prompts(done)[:1])
    assert all("Quokkaville (v1.0)" in scene.told(done) for done in cells)
    assert all(scene.true(done) for done in cells)
    assert scene.downloads_of("zebrastripe") == 1
    asked = [
        seen
        for seen in scene.civitai.seen
        if seen.path == f"/api/download/models/{number_of('quokkaville')}"
    ]
    assert len(scene.fetched()) == 1
    assert len(asked) <= 2


def test_interrupt_stops_a_download_at_once_and_says_so(scene: Scene) -> None:
    number, state = number_of("zebrastripe"), scene.stage.host.state
    body = scene.civitai.files[number]
    scene.civitai.faults.add(Fault(BUCKET % number, on="storage", stall_at=len(body) // 2))

    def half_of_it_came() -> bool:
        parts = scene.folder.rglob(".stylus-*.part")
        return any(part.stat().st_size == len(body) // 2 for part in parts)

    with scene.meanwhile(half_of_it_came, lambda: setattr(state, "interrupted", True)):
        done = scene.make("zebrastripe at night")  # the other half never comes
    assert done.images == []
    assert "Zebrastripe" in scene.told(done)
    assert "<lora" not in done.infotexts[0]
    until = time.monotonic() + 20
    while scene.process.link().call("GET", "/v1/jobs")["jobs"][-1]["state"] != "cancelled":
        assert time.monotonic() < until
        time.sleep(0.02)
    state.interrupted = False
    done = scene.make("zebrastripe at night")
    assert "<lora:zebrastripe" in scene.prompts(done)[0]
    ranges = [seen.headers.get("range") for seen in scene.civitai.seen if seen.on == "storage"]
    assert ranges == [None, f"bytes={len(body) // 2}-"], "what had come was gone on with"


def test_skip_goes_on_without_the_lora(scene: Scene) -> None:
    number, state = number_of("zebrastripe"), scene.stage.host.state
    state.skipped = True  # of an earlier cell, and not meant for this
    scene.civitai.faults.add(Fault(BUCKET % number, on="storage", stall_at=1000))
    with scene.meanwhile(
        lambda: " of " in scene.planner.downloads.line, lambda: setattr(state, "skipped", True)
    ):
        done = scene.make("zebrastripe and quokkaville")
    assert len(done.images) == 1
    assert "<lora:zebrastripe" not in scene.prompts(done)[0]
    assert "was skipped" in scene.told(done)
    assert scene.true(done)


def test_the_wait_for_a_download_has_its_own_end(scene: Scene) -> None:
    """Not the plan's: that one is far shorter here than the download."""
    number = number_of("zebrastripe")
    body = scene.civitai.files[number]
    scene.stage.host.opts.data |= {"stylus_warm_s": 1.0, "stylus_fetch_minutes": 0.0}
    scene.make("the sea")
    scene.civitai.faults.add(Fault(BUCKET % number, on="storage", pace=len(body) / 2.5))
    began = time.monotonic()
    assert "<lora:zebrastripe" in scene.prompts(scene.make("zebrastripe at night"))[0]
    assert time.monotonic() - began > 2.0
    scene.stage.host.opts.data["stylus_fetch_minutes"] = 0.01
    scene.civitai.faults.add(Fault(BUCKET % number_of("quokkaville"), on="storage", stall_at=1000))
    done = scene.make("quokkaville at night")
    assert "0.01 minutes" in scene.told(done)
    assert "<lora:" not in scene.prompts(done)[0]


def test_an_engine_that_is_killed_while_it_fetches_costs_the_lora_and_not_the_picture(
    scene: Scene,
) -> None:
    number = number_of("narwhalheim")
    scene.civitai.faults.add(Fault(BUCKET % number, on="storage", stall_at=1000))
    pid = scene.process.report().pid
    with scene.meanwhile(
        lambda: " of " in scene.planner.downloads.line, lambda: os.kill(pid, signal.SIGKILL)
    ) as killed:
        done = scene.make("narwhalheim at night")
    assert killed
    assert len(done.images) == 1
    assert "<lora:" not in scene.prompts(done)[0]
    assert "Narwhalheim" in scene.told(done)
    assert scene.true(done)
    assert "<lora:narwhalheim" in scene.prompts(scene.make("narwhalheim at night"))[0], (
        "the engine that came after it goes on"
    )


def test_a_file_that_is_there_and_not_listed_is_found_and_listed(scene: Scene) -> None:
    """Put there since the host looked; nothing is fetched for it."""
    (scene.folder / "my axolotl.safetensors").write_bytes(
        scene.civitai.files[number_of("axolotlbay")]
    )
    done = scene.make("axolotlbay at night")
    assert "<lora:my axolotl:" in scene.prompts(done)[0]
    assert scene.downloads_of("axolotlbay") == 0
    assert scene.true(done)


def test_a_file_in_a_folder_into_which_the_host_does_not_look_is_not_tagged(
    scene: Scene, tmp_path: Path
) -> None:
    """reForge lists no LyCORIS folder, and loads none of a picture's LoRAs where one is missing."""
    other = tmp_path / "LyCORIS"
    other.mkdir()
    (other / "elsewhere.safetensors").write_bytes(scene.civitai.files[number_of("okapiwood")])
    scene.stage.host.cmd_opts.lyco_dir_backcompat = str(other)
    scene.stage.host.loras.all_or_none = True
    done = scene.make("okapiwood at night")
    assert "<lora:" not in scene.prompts(done)[0]
    assert "does not list it" in scene.told(done)
    assert scene.true(done)


def test_an_unknown_checkpoint_gets_nothing_fetched(scene: Scene) -> None:
    scene.stage.host.model.is_sd1 = False
    done = scene.make("zebrastripe at night")
    assert "not downloaded" in scene.told(done)
    assert scene.fetched() == []


@pytest.mark.parametrize(
    ("flags", "api", "allowed"),
    [
        ({"listen": True}, True, False),
        ({"listen": True, "gradio_auth": "a:b"}, True, False),
        ({"listen": True, "api_auth": "a:b"}, True, True),
        ({"listen": True, "enable_insecure_extension_access": True}, True, True),
        ({"listen": True, "api_auth": "a:b"}, False, False),
        ({"listen": True, "gradio_auth": "a:b"}, False, True),
        ({}, False, True),
    ],
)
def test_who_may_have_something_fetched(
    scene: Scene, flags: dict[str, object], api: bool, allowed: bool
) -> None:
    vars(scene.stage.host.cmd_opts).update(flags)
    if api:
        done = scene.make("zebrastripe at night")
    else:
        user = SimpleNamespace(username="a") if "gradio_auth" in flags else SimpleNamespace()
        request = page.Request({"host": "127.0.0.1:7860"})
        vars(request).update(vars(user))
        for name in ("enabled-checkbox", "downloads"):
            scene.stage.host.page.by_id(f"stylus_txt2img_{name}").value = True
        done = txt2img(scene, request)
    assert len(done.images) == 1, "the generation goes on"
    assert ("<lora:zebrastripe" in scene.prompts(done)[0]) is allowed
    assert ("--gradio-auth" in scene.told(done)) is not allowed
    assert (scene.downloads_of("zebrastripe") == 1) is allowed


def txt2img(scene: Scene, request: page.Request) -> object:
    """As the host's own function: the page's request is one of its arguments, and goes no
    further.
    """
    return scene.stage.host.generate(prompt="zebrastripe at night")


def test_a_page_of_another_site_has_nothing_fetched(scene: Scene) -> None:
    for name in ("enabled-checkbox", "downloads"):
        scene.stage.host.page.by_id(f"stylus_txt2img_{name}").value = True
    done = txt2img(scene, page.Request({"host": "127.0.0.1:7860", "origin": "http://evil.example"}))
    assert "evil.example" in scene.told(done)
    assert scene.downloads_of("zebrastripe") == 0
