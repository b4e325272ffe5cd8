"""Overview, Recipes and Storage of the Stylus tab in each gradio: what is kept and cleaned up there
is so in the engine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.environment.layout import Environment
from tests.browser.chromium import Browser, eventually
from tests.browser.hostile import HOSTILE
from tests.browser.own_tab import Desk, OwnTab, desk_at, own_tab
from tests.browser.panel import Panel
from tests.catalogue.sources.pictures.making import infotext, write_png
from tests.civitai_service.service import CivitaiService, serving
from tests.civitai_service.shapes import a_file, a_model, a_version
from tests.engine_process import finished
from tests.lora_files import LORAS, safetensors_bytes

PROMPT = "corgi dog, watercolor painting"
DAY_S = 86_400


@pytest.fixture(scope="module")
def civitai() -> Iterator[CivitaiService]:
    with serving() as service:
        body = safetensors_bytes(LORAS["sd1"], seed=11)
        service.add(
            a_model(111, a_version(11, files=[a_file(11, "zebra.safetensors", body)])),
            files={11: body},
        )
        yield service


@pytest.fixture(scope="module")
def kept(
    environment: Environment,
    prepared: Path,
    civitai: CivitaiService,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Desk]:
    said = {
        "civitai": {"civitai_url": civitai.api, "request_interval": 0.0},
        "downloads": {"download": True},
    }
    with desk_at(environment, prepared, tmp_path_factory.mktemp("kept"), settings=said) as made:
        finished(made.link, str(made.page_asks("start", {"name": "sync"})["id"]))
        yield made


def recipes(planner: Desk) -> list[dict[str, Any]]:
    return list(planner.link.call("POST", "/v1/recipes", {})["recipes"])


def test_the_overview_counts_what_the_store_has_and_asks_before_it_sends(
    kept: Desk, civitai: CivitaiService, browser: Browser
) -> None:
    told = kept.link.call("POST", "/v1/overview", {})
    with own_tab(kept, browser) as (tab, here):
        tab.turn_to("overview")
        assert f"{told['unnamed']} files" in tab.wait_for("overview", "By base model")
        rows = tab.page.locator("#stylus_families tbody tr")
        assert rows.count() == len(told["families"])
        here.picture(f"{kept.server.gradio}-overview")
        before = len(civitai.asked("/model-versions/by-hash/ids"))
        step = tab.first_step("identify")
        assert str(told["unnamed"]) in step.inner_text()
        step.locator("[data-act]").click()
        question = step.locator(".stylus-question")
        assert f"SHA256 of {told['unnamed']} files" in question.inner_text()
        assert len(civitai.asked("/model-versions/by-hash/ids")) == before
        question.locator("button").first.click()
        eventually(lambda: len(civitai.asked("/model-versions/by-hash/ids")) > before, tab.page)
        write_png(
            kept.folder / "outputs" / "snow.png",
            infotext("a corgi in deep snow <lora:corgi_dog:0.7>"),
        )
        known = len(kept.link.call("GET", "/v1/jobs")["jobs"])
        tab.first_step("learn").locator("[data-act]").click()
        tab.wait_for_message("steps_line", "started")
        eventually(lambda: len(kept.link.call("GET", "/v1/jobs")["jobs"]) > known, tab.page)
        tab.turn_to("keys")
        tab.wait_for("keys", "No address is set for it.")
        assert tab.part("key_enter_chat").is_disabled()
        assert tab.part("key_check_chat").is_disabled()
    identified, learnt = kept.link.call("GET", "/v1/jobs")["jobs"][-2:]
    assert identified["name"] == "identify"
    done = finished(kept.link, str(learnt["id"]))
    assert (done["name"], done["state"]) == ("learn", "done"), done
    assert done["result"]["learned"] == 1
    assert "a corgi in deep snow" in str(kept.entry("corgi_dog")["examples"])


def test_a_recipe_is_saved_used_exported_and_imported(
    kept: Desk, browser: Browser, tmp_path: Path
) -> None:
    with own_tab(kept, browser) as (tab, here):
        prompt = Panel(tab.page).prompt()
        tab.page.evaluate(
            "words => stylus.write(document.querySelector('#txt2img_prompt textarea'), words)",
            PROMPT,
        )
        tab.turn_to("recipes")
        tab.part("recipe_take").click()
        assert tab.part("recipe_prompt").input_value() == PROMPT
        tab.part("recipe_name").fill("Corgi in colours")
        tab.part("recipe_save").click()
        tab.wait_for("recipes_line", "1 recipe is kept.")
        saved = recipes(kept)[0]
        assert (saved["name"], saved["prompt"]) == ("Corgi in colours", PROMPT)
        stems = {one["stem"] for one in saved["adapters"]}
        assert "corgi_dog" in stems
        assert "Corgi in colours" in kept.journal()
        here.picture(f"{kept.server.gradio}-recipes")

        row = tab.page.locator("[data-recipe='Corgi in colours']")
        row.locator(".stylus-use-txt2img").click()
        tab.wait_for_message("recipes_line", "usedIn")
        written = prompt.input_value()
        assert written.startswith(PROMPT)
        for one in saved["adapters"]:
            assert f"<lora:{one['stem']}:{one['weight']:g}>" in written

        with tab.page.expect_download() as got:
            tab.part("recipe_export").click()
        file = tmp_path / "recipes.json"
        got.value.save_as(file)
        assert json.loads(file.read_text("utf-8")) == [
            {name: value for name, value in saved.items() if name not in ("on_disk", "alike")}
        ]
        row.locator(".stylus-delete").click()
        tab.wait_for("recipes_line", "deleted")
        assert recipes(kept) == []
        tab.part("recipe_file").set_input_files(file)
        tab.wait_for("recipes_line", "1 recipe is kept.")
        assert recipes(kept) == [saved]
        file.write_text("no json", "utf-8")
        tab.part("recipe_file").set_input_files(file)
        tab.wait_for_message("recipes_line", "notJson")


def test_a_recipe_is_used_in_img2img_and_not_replaced_by_one_click(
    kept: Desk, browser: Browser, tmp_path: Path
) -> None:
    corgi = {
        "key": "path:corgi_dog.safetensors",
        "weight": 0.4,
        "name": "Corgi",
        "stem": "corgi_dog",
    }
    kept.link.call(
        "POST",
        "/v1/recipes",
        {"keep": [{"name": "Mine", "prompt": "a dog", "family": "sd1", "adapters": [corgi]}]},
    )
    before = recipes(kept)

    def mine() -> str:
        return str(next(one["prompt"] for one in recipes(kept) if one["name"] == "Mine"))

    with own_tab(kept, browser) as (tab, _):
        tab.turn_to("recipes")
        row = tab.page.locator("[data-recipe='Mine']")
        row.locator(".stylus-use-img2img").click()
        tab.wait_for_message("recipes_line", "usedIn")
        assert "<lora:corgi_dog:0.4>" in Panel(tab.page, "img2img").prompt().input_value()
        file = tmp_path / "mine.json"
        with tab.page.expect_download() as got:
            row.get_by_role("button", name="Export").click()
        got.value.save_as(file)
        file.write_text(file.read_text("utf-8").replace("a dog", "a cat"), "utf-8")
        tab.part("recipe_name").fill(" Mine ")
        tab.part("recipe_prompt").fill("corgi dog")
        tab.part("recipe_save").click()
        tab.wait_for_message("recipes_line", "replaces")
        tab.part("recipe_file").set_input_files(file)
        tab.wait_for_message("recipes_line", "replacesSome")
        assert recipes(kept) == before
        tab.part("recipe_file").set_input_files(file)
        eventually(lambda: mine() == "a cat", tab.page)
    kept.link.call("POST", "/v1/recipes", {"forget": "Mine"})


def test_recipes_are_found_by_prompt_and_hostile_ones_are_text(
    kept: Desk, browser: Browser
) -> None:
    said = [
        {
            "name": f"strange {number}",
            "prompt": words[:19_000],
            "adapters": [{"key": f"civitai:{number + 1}", "name": words[:1000]}],
        }
        for number, words in enumerate(HOSTILE)
    ]
    kept.link.call(
        "POST",
        "/v1/recipes",
        {"keep": [*said, {"name": "Harbour", "prompt": "fishing boats in a foggy harbour"}]},
    )
    with own_tab(kept, browser) as (tab, _):
        tab.turn_to("recipes")
        tab.part("recipe_like").fill("a foggy harbour with boats")
        eventually(
            lambda: (
                tab.page.locator("#stylus_recipes > li").first.get_attribute("data-recipe")
                == "Harbour"
            ),
            tab.page,
        )
        first = tab.page.locator("#stylus_recipes > li").first
        eventually(lambda: "% alike" in first.inner_text(), tab.page)
        shown = tab.page.locator("#stylus_recipes .stylus-wrap").all_text_contents()
        assert {one["prompt"] for one in said} <= set(shown)
        assert tab.page.evaluate("() => window.hacked === undefined")
        assert (
            tab.page.evaluate(
                "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            <= 0
        )
    for one in said:
        kept.link.call("POST", "/v1/recipes", {"forget": one["name"]})


def fetch_zebra(kept: Desk, tab: OwnTab) -> None:
    tab.show_everything()
    tab.search("adapter 111")
    eventually(lambda: len(tab.names()) == 1, tab.page)
    tab.page.locator("#stylus_cards .stylus-open").click()
    tab.part("fetch").click()
    tab.wait_for_message("detail_line", "begun")
    eventually((kept.folder / "loras" / "zebra.safetensors").exists, tab.page)
    done = finished(kept.link, str(kept.link.call("GET", "/v1/jobs")["jobs"][-1]["id"]))
    assert (done["name"], done["state"]) == ("fetch", "done"), done


def test_what_was_fetched_is_listed_and_cleaned_up_by_two_clicks(
    kept: Desk, browser: Browser
) -> None:
    file = kept.folder / "loras" / "zebra.safetensors"
    with own_tab(kept, browser) as (tab, here):
        fetch_zebra(kept, tab)
        tab.turn_to("storage")
        tab.wait_for("storage", "zebra.safetensors")
        here.picture(f"{kept.server.gradio}-storage")
        assert tab.part("storage_clean").is_disabled()
        tab.part("storage_try").click()
        tab.wait_for_message("storage_line", "nothingGoes")
        _age(kept.folder / "stylus" / "downloads.jsonl", 40 * DAY_S)
        tab.part("storage_try").click()
        tab.wait_for("storage_line", "These would be deleted: zebra.safetensors")
        assert file.exists()
        tab.part("storage_clean").click()
        tab.wait_for_message("storage_line", "gone")
        assert not file.exists()
        tab.wait_for("storage", "No downloads yet.")
    assert kept.link.call("POST", "/v1/storage", {})["files"] == []
    assert (kept.folder / "loras" / "corgi_dog.safetensors").exists()


def test_selected_downloads_are_deleted_after_a_question(kept: Desk, browser: Browser) -> None:
    file = kept.folder / "loras" / "zebra.safetensors"
    with own_tab(kept, browser) as (tab, here):
        fetch_zebra(kept, tab)
        _age(kept.folder / "stylus" / "downloads.jsonl", 40 * DAY_S)
        tab.page.keyboard.press("Escape")
        tab.part("select").click()
        tab.page.locator("#stylus_cards .stylus-open").click()
        tab.part("delete_selected").click()
        question = tab.page.locator("#stylus_selection .stylus-question button")
        question.first.wait_for()
        here.picture(f"{kept.server.gradio}-delete-selected")
        assert file.exists()
        question.first.click()
        tab.wait_for_message("found", "begunMany")
        eventually(lambda: not file.exists(), tab.page)


def test_strangers_keep_and_delete_nothing(kept: Desk) -> None:
    kept.server.flag("listen", True)
    try:
        for name, payload in (
            ("recipes", {"keep": [{"name": "x", "prompt": ""}]}),
            ("recipes", {"forget": "Harbour"}),
            ("start", {"name": "discard", "payload": {"dry_run": False}}),
        ):
            status, text = kept.server.ask("POST", f"/stylus/v1/ui/{name}", payload)
            assert (status, "without a password" in text) == (403, True)
        assert kept.server.ask("POST", "/stylus/v1/ui/recipes", {})[0] == 200
    finally:
        kept.server.flag("listen", False)


def _age(ledger: Path, by_s: float) -> None:
    """As if it had all been so much earlier."""
    lines = [json.loads(line) for line in ledger.read_text("utf-8").splitlines() if line.strip()]
    assert all(line["at"] <= time.time() for line in lines)
    ledger.write_text(
        "".join(json.dumps(line | {"at": line["at"] - by_s}) + "\n" for line in lines), "utf-8"
    )
